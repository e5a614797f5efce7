import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { policy, type Account, type Caller } from '../../api/src/access/index.ts';
import { SLICES } from '../../api/test/support/architecture/slices.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

const guide = (name: string) => readFile(join(repositoryRoot, 'docs/guides', `${name}.md`), 'utf8');

describe('the guide on running plug-ins', () => {
  let berth: TestServer;
  let folder: string;
  before(async () => {
    [berth, folder] = await Promise.all([startTestServer(), mkdtemp(join(tmpdir(), 'berth-guide-'))]);
    const text = await guide('consuming');
    const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);
    assert.equal(blocks.length, 1);
    await writeFile(join(folder, 'package.json'), '{"private":true}');
    const install = ['-ec', blocks[0]!.replace('https://registry.example.org', berth.url)];
    const env = { ...process.env, npm_config_cache: join(folder, '.npm') };
    await promisify(execFile)('sh', install, { cwd: folder, env });
    for (const [, program = ''] of text.matchAll(/```js\n([^]*?)```/g)) {
      await writeFile(join(folder, /^\/\/ (\S+)/.exec(program)?.[1] ?? ''), program);
    }
    const plugin = (version: string) =>
      npmTarball({
        name: '@acme/hello',
        version,
        manifest: { type: 'module' },
        files: { 'index.js': `export const run = () => 'hello from ${version}';` },
      });
    await publishHello(await plugin('1.0.0'));
    await berth.api('PATCH', `/artefacts/${encodeURIComponent('@acme/hello@1')}`, {
      headers: berth.internal,
      body: { privateAccess: [{ type: 'organization', id: 'acme' }] },
    });
  });
  after(async () => {
    await berth.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function publishHello(file: Buffer): Promise<void> {
    assert.equal((await berth.upload('@acme/hello@1', { file })).status, 201);
  }

  function run(program: string, ...words: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const env = {
      PATH: process.env['PATH'],
      REGISTRY_URL: berth.url,
      SECRET_REGISTRY: berth.internal['x-secret-key'],
      CACHE_DIR: join(folder, 'cache'),
    };
    return new Promise((done) =>
      execFile(process.execPath, [program, ...words], { env, cwd: folder }, (error, stdout, stderr) =>
        done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      ),
    );
  }

  test('its program runs a shared plug-in, and reports the error for other accounts', async () => {
    assert.deepEqual(await run('run-plugin.mjs', '@acme/hello@1', 'acme'), {
      status: 0,
      stdout: '@acme/hello@1 1.0.0: hello from 1.0.0\n',
      stderr: '',
    });
    assert.deepEqual(await run('run-plugin.mjs', '@acme/hello@1', 'initech'), {
      status: 1,
      stdout: '',
      stderr: '@acme/hello@1: 403 not_shared\n',
    });
  });

  test('its program fetches builds when they are published', async () => {
    const env = {
      PATH: process.env['PATH'],
      REGISTRY_URL: berth.url,
      SECRET_REGISTRY: berth.internal['x-secret-key'],
      CACHE_DIR: join(folder, 'watched'),
    };
    const child = spawn(process.execPath, ['watch-plugins.mjs', '@acme/watched@1'], { cwd: folder, env });
    const exited = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const nextLine = async () => (await lines.next()).value;
    const publish = async (version: string) => {
      const file = await npmTarball({ name: '@acme/watched', version });
      assert.equal((await berth.upload('@acme/watched@1', { file })).status, 201);
    };
    try {
      assert.equal(await nextLine(), '@acme/watched@1: not_found');
      for (const version of ['1.0.0', '1.1.0']) {
        await publish(version);
        assert.equal(await nextLine(), `@acme/watched@1: ${version} is in the cache`);
      }
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('its program fetches a file once', async () => {
    const bytes = Buffer.from('tiles of a map');
    assert.equal(
      (await berth.upload('tiles', { format: 'file', file: bytes, fileName: 'tiles.pmtiles' })).status,
      201,
    );
    const path = join(folder, 'cache/tiles.pmtiles');
    assert.match((await run('fetch-tiles.mjs', 'tiles')).stdout, new RegExp(`^new ${path} sha256:[0-9a-f]{64}\n$`));
    assert.match((await run('fetch-tiles.mjs', 'tiles')).stdout, /^unchanged /);
    assert.deepEqual(await readFile(path), bytes);
  });
});

describe('the security guide', () => {
  test('names headers that every response of the API carries', async () => {
    const berth = await startTestServer();
    try {
      const headers = [...(await guide('security')).matchAll(/^\| `([a-z-]+)` \| `(.*)` \|$/gm)].map(
        ([, name = '', value = '']) => [name, value] as const,
      );
      assert.equal(headers.length, 3);
      for (const path of ['/artefacts', '/artefacts/none', '/nowhere']) {
        const response = await berth.api('GET', path);
        for (const [name, value] of headers) assert.equal(response.headers.get(name), value, `${name} of ${path}`);
      }
    } finally {
      await berth.close();
    }
  });
});

describe('the upgrading guide', () => {
  test('its commands back up, migrate and restore an instance', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berth-upgrade-'));
    const data = (name: string) => join(folder, name);
    let berth: TestServer | undefined = await startTestServer({ dataDir: data('present') });
    const { API_KEYS_SALT = '', CIPHER_PASSWORD = '', AUTH_SECRET = '' } = berth.server.config;
    const secrets = { API_KEYS_SALT, CIPHER_PASSWORD, AUTH_SECRET };
    try {
      assert.equal(
        (await berth.upload('@acme/hello@1', { file: await npmTarball({ name: '@acme/hello' }) })).status,
        201,
      );
      const commands = [...(await guide('upgrading')).matchAll(/^ *berth ([a-z]+.*)$/gm)].map(([, words = '']) =>
        words.split(' '),
      );
      assert.deepEqual(
        commands.map(([name]) => name),
        ['backup', 'migrate', 'restore'],
      );
      for (const words of commands) {
        const env = {
          PATH: process.env['PATH'],
          HOME: folder,
          ...secrets,
          DATA_DIR: data(words[0] === 'restore' ? 'earlier' : 'present'),
        };
        await promisify(execFile)(process.execPath, [join(repositoryRoot, 'cli/bin/berth.js'), ...words], {
          cwd: folder,
          env,
        });
      }
      await berth.close();
      berth = undefined;
      berth = await startTestServer({ dataDir: data('earlier'), env: secrets });
      const { results } = (await (await berth.api('GET', '/artefacts', { headers: berth.internal })).json()) as {
        results: { _id: string }[];
      };
      assert.deepEqual(
        results.map(({ _id }) => _id),
        ['@acme/hello@1'],
      );
    } finally {
      await berth?.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the access guide', async () => {
  const acme: Account = { type: 'organization', id: 'acme' };
  const other: Account = { type: 'organization', id: 'initech' };
  const key = { id: 'key', name: 'key', shortId: '12345678' };
  const reader = (account: Account, hasGrant: boolean): Caller => ({ kind: 'read-key', key, account, hasGrant });
  const callers: Record<string, Caller> = {
    'anonymous': { kind: 'anonymous' },
    'upload key': { kind: 'upload-key', key, scopes: {} },
    'account with a grant, shared with it': reader(acme, true),
    'account with a grant, shared with others': reader(other, true),
    'account without a grant, shared with it': reader(acme, false),
    'internal service for an account, shared with it': { kind: 'internal', account: acme },
    'internal service': { kind: 'internal' },
    'superadmin': {
      kind: 'user',
      sessionId: 's',
      user: { id: 'u', name: 'U', email: 'u@example.org' },
      isAdmin: true,
      account: { type: 'user', id: 'u' },
      accountRole: 'admin',
      hasGrant: false,
    },
  };
  const artefacts = {
    public: { public: true, privateAccess: [] },
    shared: { public: false, privateAccess: [acme] },
    private: { public: false, privateAccess: [] },
  };
  const rows = [...(await guide('access')).matchAll(/^\| (?!who|---)(.*) \|$/gm)].map(([, row = '']) =>
    row.split(' | '),
  );

  test('has a row for every kind of caller', () => {
    assert.deepEqual(
      rows.map(([who]) => who),
      Object.keys(callers),
    );
  });

  for (const [who = '', ...cells] of rows) {
    test(`states the policy for: ${who}`, () => {
      const caller = callers[who]!;
      const expected = [policy.seeArtefact, policy.downloadArtefact].flatMap((ask) =>
        Object.values(artefacts).map((artefact) => (ask.call(policy, caller, artefact) === undefined ? 'yes' : 'no')),
      );
      assert.deepEqual(cells, expected);
    });
  }
});

describe('the architecture page', async () => {
  const text = await readFile(join(repositoryRoot, 'docs/architecture.md'), 'utf8');
  const slices = (await readdir(join(repositoryRoot, 'api/src'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

  test('has each slice in its tree', () => {
    for (const slice of slices) assert.match(text, new RegExp(`^ {4}${slice}/ +\\w`, 'm'), slice);
  });

  for (const [flow, maxFiles] of [
    ['an upload', 38],
    ['a synchronisation', 22],
  ] as const) {
    test(`follows ${flow} through at most ${maxFiles} files`, () => {
      const [section = ''] = text.split(/^## /m).filter((part) => part.startsWith(`How ${flow} flows`));
      const [walk = ''] = /^1\. [^]*?\n\n/m.exec(section) ?? [];
      const files = [...walk.matchAll(/`(api\/src\/[\w./-]+\.ts)`/g)].map(([, file]) => file);
      assert.ok(files.length > 10 && files.length <= maxFiles, String(files.length));
    });
  }

  test('orders all slices by their dependencies, as the architecture test does', () => {
    const [order = ''] = /^tracing [^`]*/m.exec(text) ?? [];
    const levels = order.split('←').map((level) => level.trim().split(/\s+/));
    assert.deepEqual(
      levels
        .flat()
        .filter((name) => name !== 'errors')
        .sort(),
      slices,
    );
    const heights = new Map(SLICES.flatMap((level, height) => level.map((slice) => [slice, height] as const)));
    const ordered = levels.flat().map((slice) => heights.get(slice) ?? -1);
    assert.deepEqual(
      ordered,
      [...ordered].sort((a, b) => a - b),
    );
  });
});
