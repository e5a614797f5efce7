// The evening of a newcomer, who types what the guides say: starts a registry, publishes a plug-in of a monorepo,
// mirrors it, moves to PostgreSQL and S3, backs up, restores, and upgrades an installation of an earlier version.

import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { INTERNAL_SECRET, keptVersions, restoreData } from '../../api/test/earlier-versions/kept-data.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { createTestDatabaseUrl } from '../../api/test/support/postgres.ts';
import { createTestS3 } from '../../api/test/support/s3.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { runInTerminal, type TerminalCommand } from '../../scripts/test/support/terminal.ts';
import { blocksOf, createHome, EXAMPLE, type Home } from './typed-commands.ts';

const PASSWORD = 'a long pass phrase';
const EMAIL = 'admin@localhost';
const ARTEFACT = '@acme/plugin@1';
/** The guides publish another package. */
const PACKAGE = { 'import-gpkg': 'plugin' };
const BACK_UP = 'berth backup /srv/backup/berth\n';

type Env = Record<string, string>;

/** A registry that somebody has started in a terminal, at an address that it keeps when it moves. */
class Registry {
  readonly url: string;
  readonly #env: Env;
  #terminal: TerminalCommand | undefined;

  constructor(port: number, env: Env) {
    this.url = `http://127.0.0.1:${port}`;
    this.#env = { HOST: '127.0.0.1', PORT: `${port}`, PUBLIC_URL: this.url, ...env };
  }

  /** Types a command that serves. */
  async start(command: string, env: Env = {}): Promise<void> {
    this.#terminal = runInTerminal(command.replace(/(npm|berth) /, 'exec $1 '), {
      directory: repositoryRoot,
      env: { ...this.#env, ...env },
    });
    await this.#terminal.shows(/listening/);
  }

  async pressCtrlC(): Promise<void> {
    this.#terminal?.pressCtrlC();
    assert.equal(await this.#terminal?.ended, 0, this.#terminal?.output());
    this.#terminal = undefined;
  }

  kill(): void {
    this.#terminal?.[Symbol.dispose]();
  }
}

/** Returns the only shell block of a guide that contains a text. */
async function blockWith(guide: string, text: string): Promise<string> {
  const blocks = (await blocksOf(guide)).filter((block) => block.includes(text));
  assert.equal(blocks.length, 1, `${blocks.length} blocks of ${guide} contain ${text}`);
  return blocks[0] ?? '';
}

/** Creates a workspace of npm, whose plug-in needs a package of the registry of npm and one of the workspace. */
async function createWorkspace({ home, type }: Home): Promise<string> {
  const root = join(home, 'monorepo');
  const packages = {
    '.': { name: 'monorepo', private: true, workspaces: ['packages/*'] },
    'packages/plugin': {
      name: '@acme/plugin',
      version: '1.2.3',
      dependencies: { 'ms': '2.1.3', '@acme/lib': '1.0.0' },
    },
    'packages/lib': { name: '@acme/lib', version: '1.0.0' },
  };
  for (const [folder, manifest] of Object.entries(packages)) {
    await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, folder, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(root, folder, 'index.js'), 'exports.run = () => {};');
  }
  await type(
    'npm install --no-audit --no-fund --prefer-offline\necho node_modules > .gitignore\ngit init -q\ngit add .\n' +
      'git -c user.name=a -c user.email=a@example.org commit -qm one',
    { substitutions: {}, cwd: root },
  );
  return root;
}

describe('the evening of a newcomer', () => {
  const opened: (() => unknown)[] = [];
  /** Types on the server's machine, and on that of an author of plug-ins. */
  let [operator, author] = [] as unknown as [Home, Home];
  let [registry, mirror] = [] as unknown as [Registry, Registry];
  /** What the guides call the folders and the registries. */
  let [folders, registries] = [] as unknown as [Env, Env];
  /** Secrets that the first registry has generated, and the settings of its cluster. */
  let [secrets, cluster] = [{}, {}] as [Env, Env];
  let path: string;

  before(async () => {
    [operator, author] = await Promise.all([createHome(), createHome()]);
    path = `${operator.home}/.local/bin:${process.env['PATH']}`;
    const at = async (folder: string) =>
      new Registry(await freePort(), { PATH: path, DATA_DIR: join(operator.home, folder), ADMIN_EMAIL: EMAIL });
    [registry, mirror] = await Promise.all([at('data'), at('mirror')]);
    folders = {
      '/srv/backup/berth': join(operator.home, 'backup'),
      '/var/lib/berth-new': join(operator.home, 'restored'),
      '/var/lib/berth': join(operator.home, 'data'),
    };
    registries = { 'https://staging.example.org': registry.url, [EXAMPLE]: mirror.url, 'admin@example.org': EMAIL };
    opened.push(
      () => registry.kill(),
      () => mirror.kill(),
    );
    for (const { home } of [operator, author]) await writeFile(join(home, 'password.txt'), PASSWORD);
  });
  after(async () => {
    for (const close of opened.reverse()) await close();
    for (const { home } of [operator, author]) await rm(home, { recursive: true, force: true });
  });

  /** Types on the server's machine. */
  const operate = (commands: string, env: Env = {}) =>
    operator.type(commands, {
      substitutions: folders,
      env: { DATA_DIR: join(operator.home, 'data'), ...env },
    });
  const withFolders = (command: string) =>
    Object.entries(folders).reduce((text, [example, real]) => text.replaceAll(example, real), command);
  /** The artefact as the common registry shows it to its operator. */
  const published = () => author.type(`berth info ${ARTEFACT} --url ${registry.url}`, { substitutions: {} });

  test('the operator starts a registry and a second one, and installs the command of the server', async () => {
    const start = await blockWith('../../README', 'npm start');
    await Promise.all([registry.start(start), mirror.start(start)]);
    // The rest of the block installs into the system.
    const [link = ''] = /^ln -s .*$/m.exec(await blockWith('deployment', 'ln -s')) ?? [];
    await operator.type(`mkdir -p .local/bin\n${link}`, {
      substitutions: { '/opt/berth': repositoryRoot, '/usr/local/bin': `${operator.home}/.local/bin` },
    });
    assert.match(await operate('berth --version'), /^\d/);
  });
  test('the author publishes a plug-in of a monorepo', async () => {
    await author.installCommand(registry.url);
    const [login = ''] = (await blockWith('federation', 'berth grants create')).split('\n');
    await author.type(login, { substitutions: registries });
    const key = await author.type(await blockWith('ci', 'berth keys create'), { substitutions: PACKAGE });
    const workspace = await createWorkspace(author);
    const output = await author.type(await blockWith('monorepos', 'git tag'), {
      substitutions: {},
      cwd: workspace,
      env: { BERTH_URL: registry.url, BERTH_API_KEY: key.trim() },
    });
    assert.match(output, /Published @acme\/plugin@1 noarch: @acme\/plugin 1\.2\.3/);
  });

  test('the operator makes it public', async () => {
    const [signIn = ''] = (await blocksOf('../../README')).filter((block) => block.includes('sign-in/email'));
    const share = await blockWith('access', 'curl');
    await author.type(`mkdir data\n${signIn.split('\n\n', 1)[0]}\n${share}`, {
      substitutions: { ...PACKAGE, 'http://localhost:8080': registry.url, [EXAMPLE]: registry.url },
    });
    assert.match(await published(), /access +public/);
  });

  test('the operator mirrors it', async () => {
    const [onOriginal = '', onMirror = ''] = await blocksOf('federation');
    await author.type(onOriginal, { substitutions: registries });
    assert.match(await author.type(onMirror, { substitutions: registries }), /updated .+, 0 failed\.\n$/);
  });

  test('the operator moves the registry to PostgreSQL and S3, and nothing changes for its clients', async () => {
    const [database, s3, document] = [await createTestDatabaseUrl(), await createTestS3(), await published()];
    opened.push(
      () => database.drop(),
      () => s3.remove(),
    );
    const moves = (await blocksOf('backup')).filter((block) => /BERTH_CONFIG|^ *berth backup \S+\n$/.test(block));
    const [backUp = '', copyAhead = '', finish = ''] = moves.slice(-3);
    await operate(backUp);
    secrets = JSON.parse(await readFile(join(operator.home, 'data/secrets.json'), 'utf8')) as Env;
    cluster = { BERTH_CONFIG: join(operator.home, 'cluster.yaml') };
    await writeFile(
      join(operator.home, 'cluster.yaml'),
      JSON.stringify({ ...secrets, ...s3.env, DATABASE_URL: database.url }),
    );
    await operate(copyAhead);
    assert.equal(await published(), document);
    await registry.pressCtrlC();
    await operate(finish.replace('systemctl stop berth\n', ''));
    await registry.start('berth serve', cluster);
    assert.equal(await published(), document);
  });

  test('the operator backs up the cluster, and restores it on one machine', async () => {
    const document = await published();
    await operate('rm -r /srv/backup/berth');
    const [backUp = ''] = await blocksOf('backup');
    assert.equal(backUp, BACK_UP);
    await operate(backUp, cluster);
    await operate(await blockWith('backup', '--check'));
    await registry.pressCtrlC();
    const [restore = '', serve = ''] = (await blockWith('backup', '/var/lib/berth-new berth serve')).split('\n');
    await operate(restore, secrets);
    await registry.start(withFolders(serve), secrets);
    assert.equal(await published(), document);
    await operate(await blockWith('backup', 'berth scrub'), { ...secrets, DATA_DIR: join(operator.home, 'restored') });
  });

  test('the operator upgrades the data of each earlier version', async () => {
    for (const version of keptVersions()) {
      const { env, contents, remove } = await restoreData(version, 'sqlite');
      opened.push(remove);
      const upgraded = new Registry(await freePort(), { PATH: path, ...env });
      opened.push(() => upgraded.kill());
      // The backup before it is one of the earlier version.
      await operate(await blockWith('upgrading', 'berth migrate'), env);
      await upgraded.start('berth serve');
      const headers = { 'x-secret-key': INTERNAL_SECRET };
      for (const id of Object.keys(contents.documents)) {
        const answer = await fetch(`${upgraded.url}/api/v1/artefacts/${encodeURIComponent(id)}`, { headers });
        assert.equal(answer.status, 200, `${id} of ${version}`);
      }
      await upgraded.pressCtrlC();
    }
  });
});
