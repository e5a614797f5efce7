// What the guides tell to type is typed, as it stands, in a real shell, against real registries.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ADMIN_EMAIL, ADMIN_PASSWORD, startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

/** The registry of the guides. */
const EXAMPLE = 'https://registry.example.org';
const run = promisify(execFile);

/** The shell blocks of a guide, in their order. */
async function blocksOf(guide: string): Promise<string[]> {
  return [...(await readFile(join(repositoryRoot, 'docs/guides', `${guide}.md`), 'utf8')).matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);
}

interface TypeOptions { stands: Record<string, string>; cwd?: string; env?: Record<string, string> }

interface Home {
  home: string;
  type(commands: string, options: TypeOptions): Promise<string>;
  /** Installs the command from a registry, as the guide about publishing tells. */
  installCommand(registryUrl: string): Promise<void>;
}

/** A user's home, where nothing is installed yet. */
async function createHome(): Promise<Home> {
  const home = await mkdtemp(join(tmpdir(), 'berth-typed-'));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(BERTH_|GITHUB_|CI_|XDG_)/.test(name));
  const environment = {
    ...Object.fromEntries(inherited), HOME: home, PATH: `${home}/.local/bin:${process.env['PATH']}`,
    npm_config_prefix: `${home}/.local`, npm_config_cache: `${home}/.npm`,
  };
  const type: Home['type'] = async (commands, { stands, cwd = home, env = {} }) => {
    const typed = Object.entries(stands).reduce((text, [example, real]) => text.replaceAll(example, real), commands);
    return (await run('bash', ['-euo', 'pipefail', '-c', typed], { cwd, env: { ...environment, ...env } })).stdout;
  };
  return {
    home, type,
    async installCommand(registryUrl) {
      const install = (await blocksOf('publishing')).filter((block) => block.startsWith('npm install --global'));
      assert.equal(install.length, 1);
      await type(install[0]!, { stands: { [EXAMPLE]: registryUrl } });
      assert.equal(await type('command -v berth', { stands: {} }), `${home}/.local/bin/berth\n`);
    },
  };
}

describe('the guide about publishing', () => {
  let berth: TestServer;
  let user: Home;
  let folder: string;
  before(async () => {
    [berth, user] = await Promise.all([startTestServer(), createHome()]);
    folder = join(user.home, 'import-gpkg');
    await mkdir(folder);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@acme/import-gpkg', version: '1.2.3', type: 'module', main: 'index.js', dependencies: { ms: '2.1.3' }, registry: { category: 'processing' } }));
    await writeFile(join(folder, 'index.js'), 'import ms from \'ms\';\nexport const run = () => ms(60_000);\n');
    await writeFile(join(folder, 'france.pmtiles'), 'tiles of France');
    await user.type('npm install --package-lock-only --no-audit --no-fund --prefer-offline\ngit init -q\ngit add .\ngit -c user.name=a -c user.email=a@example.org commit -qm one\ngit tag v1.2.3', { stands: {}, cwd: folder });
  });
  after(async () => {
    await berth.close();
    await rm(user.home, { recursive: true, force: true });
  });

  test('publishes, uploads, lists, shows, fetches and completes, as it tells', async () => {
    const blocks = await blocksOf('publishing');
    assert.equal(blocks.length, 5);
    const [publish = '', install = '', upload = '', pull = '', completion = ''] = blocks;
    const stands = { [EXAMPLE]: berth.url, 'reg_…': await berth.uploadKey() };
    assert.match(await user.type(publish, { stands, cwd: folder }), /@acme\/import-gpkg@1/);
    assert.match(install, /^npm install --global /);
    await user.installCommand(berth.url);
    for (const id of ['@acme/import-gpkg@1', '@acme/france']) {
      if (id === '@acme/france') assert.match(await user.type(`${publish.split('\n', 1)[0]}\n${upload}`, { stands, cwd: folder }), /@acme\/france is france\.pmtiles[^]*id +@acme\/import-gpkg@1/);
      assert.equal((await berth.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, { headers: berth.internal, body: { public: true } })).status, 200);
    }
    await writeFile(join(folder, 'read-key.txt'), await berth.readKey({ type: 'organization', id: 'acme' }));
    const ran = await user.type(`${pull}\nnode -e 'import("./index.js").then(({ run }) => console.log(run()))'`, { stands, cwd: folder, env: { BERTH_URL: berth.url } });
    assert.equal(ran, '1m\n');
    assert.equal(await user.type(`${completion}\ncomplete -p berth`, { stands }), 'complete -o default -F _berth berth\n');
  });
});

describe('the guide about pipelines', () => {
  test('publishes from anywhere, and an earlier tag again, as it tells', async () => {
    const [berth, user] = await Promise.all([startTestServer(), createHome()]);
    const folder = join(user.home, 'import-gpkg');
    const commit = 'git init -q\ngit add .\ngit -c user.name=a -c user.email=a@example.org commit -qm one';
    await mkdir(folder);
    for (const version of ['1.2.2', '1.2.3']) {
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@acme/import-gpkg', version }));
      await user.type(`${commit}\ngit tag v${version}`, { stands: {}, cwd: folder });
    }
    const blocks = (await blocksOf('ci')).filter((block) => block.includes('/clients/'));
    const env = { BERTH_URL: berth.url, BERTH_API_KEY: await berth.uploadKey() };
    const versions = [];
    for (const block of blocks) {
      await user.type(block, { stands: {}, cwd: folder, env });
      const published = await berth.api('GET', '/artefacts/%40acme%2Fimport-gpkg%401', { headers: berth.internal });
      versions.push((await published.json() as { version: string }).version);
    }
    assert.deepEqual(versions, ['1.2.3', '1.2.2']);
    await berth.close();
    await rm(user.home, { recursive: true, force: true });
  });
});

describe('the guide about mirrors', () => {
  let [staging, production] = [] as unknown as [TestServer, TestServer];
  let user: Home;
  before(async () => {
    [staging, production, user] = await Promise.all([startTestServer(), startTestServer(), createHome()]);
    await user.installCommand(production.url);
    await writeFile(join(user.home, 'password.txt'), ADMIN_PASSWORD);
    for (const [id, category] of [['@acme/hello@1', 'other'], ['@acme/hello@2', 'other'], ['france', 'tileset']] as const) {
      assert.equal((await staging.upload(id, { format: 'file', file: Buffer.from(id), fields: { category } })).status, 201);
      await staging.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, { headers: staging.internal, body: { public: true } });
    }
  });
  after(async () => {
    await Promise.all([staging.close(), production.close()]);
    await rm(user.home, { recursive: true, force: true });
  });

  test('mirrors what its patterns select, and has commands that work', async () => {
    const [onStaging = '', onProduction = ''] = await blocksOf('federation');
    const registries = { 'https://staging.example.org': staging.url, [EXAMPLE]: production.url };
    const stands = { ...registries, 'admin@example.org': ADMIN_EMAIL };
    await user.type(onStaging, { stands });
    assert.match(await user.type(onProduction, { stands }), /staging: 2 artefacts updated .+, 0 failed\.\n$/);

    const rows = [...(await readFile(join(repositoryRoot, 'docs/guides/federation.md'), 'utf8')).matchAll(/^\|[^|]+\| `(berth remotes [^`]+)`/gm)].map(([, command = '']) => command);
    assert.equal(rows.length, 11);
    for (const command of rows) await user.type(command, { stands: { ...stands, '@acme/import-gpkg@1': '@acme/hello@2' } });
    const { results } = await (await production.api('GET', '/artefacts', { headers: production.internal })).json() as { results: { _id: string; origin?: string }[] };
    assert.deepEqual(results.map(({ _id, origin }) => [_id, origin]).sort(), [['@acme/hello@1', undefined], ['@acme/hello@2', undefined], ['france', undefined]]);
  });
});
