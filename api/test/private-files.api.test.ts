// Other users of the machine cannot read the files that the server and the maintenance commands write, even with a
// permissive umask. Runs real processes, since the umask applies to a whole process.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { createServer } from '../index.ts';
import { inThisRun, someInThisRun } from './support/combinations.ts';
import { npmTarball } from './support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient } from './support/test-client.ts';

const SERVER = join(import.meta.dirname, '../server.ts');
const BERTH = join(import.meta.dirname, '../../cli/bin/berth.js');
const SECRET = 'internal-secret';
const scratch = mkdtempSync(join(tmpdir(), 'berth-private-'));
const EARLIER = join(scratch, 'earlier');
const BACKUP = join(scratch, 'earlier-backup');
const BUNDLE = join(scratch, 'ship.tar');

type Situation = 'absent' | 'empty' | 'exposed';
const SITUATIONS: readonly Situation[] = ['absent', 'empty', 'exposed'];

const environment = (dataDir: string) => ({
  PATH: process.env.PATH,
  HOST: '127.0.0.1',
  PORT: '0',
  DATA_DIR: dataDir,
  SECRET_INTERNAL_SERVICES: SECRET,
  ADMIN_EMAIL,
  ADMIN_PASSWORD,
  XDG_CONFIG_HOME: join(scratch, 'home'),
});

/** Arguments of a shell that runs a Node program with a permissive umask. */
const withOpenUmask = (words: string[]) => ['-c', 'umask 022 && exec "$0" "$@"', process.execPath, ...words];

function run(words: string[], dataDir: string, env: Record<string, string> = {}) {
  return spawnSync('sh', withOpenUmask(words), {
    encoding: 'utf8',
    cwd: scratch,
    env: { ...environment(dataDir), ...env },
  });
}

/** Runs a server while `work` runs. */
async function withServer(words: string[], dataDir: string, work: (url: string) => Promise<void>): Promise<void> {
  const server = spawn('sh', withOpenUmask(words), {
    env: environment(dataDir),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit');
  let url: string | undefined;
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (url !== undefined) break;
  }
  server.stdout.resume();
  try {
    await work(url ?? '');
  } finally {
    server.kill();
    await exited;
  }
}

/** Lists a folder and everything in it. */
function listAll(folder: string): string[] {
  return [
    folder,
    ...readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? listAll(path) : [path];
    }),
  ];
}

function exposeAll(folder: string): void {
  for (const path of listAll(folder)) chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
}

/** Asserts that no path has permissions for group or others. */
function assertPrivate(folder: string, { except = () => false }: { except?: (path: string) => boolean } = {}): void {
  const readable = listAll(folder).filter((path) => (statSync(path).mode & 0o077) !== 0 && !except(path));
  assert.deepEqual(
    readable.map((path) => relative(scratch, path)),
    [],
  );
}

let last = 0;
function prepare(situation: Situation): string {
  const folder = join(scratch, `data-${++last}`);
  if (situation === 'empty') mkdirSync(folder, { mode: 0o755 });
  if (situation !== 'exposed') return folder;
  cpSync(EARLIER, folder, { recursive: true });
  // As after a crash; SQLite accepts empty files.
  for (const name of ['berth.db-wal', 'berth.db-shm']) writeFileSync(join(folder, name), '');
  exposeAll(folder);
  return folder;
}

/** Existing blobs keep their modes: the mode of their folder protects them. */
function assertPrivateData(folder: string, situation: Situation): void {
  const blobs = join(folder, 'blobs');
  assertPrivate(folder, { except: (path) => situation === 'exposed' && path.startsWith(`${blobs}/`) });
}

before(async () => {
  const umask = process.umask();
  const server = await createServer({ env: environment(EARLIER), logStream: { write: () => undefined } });
  assert.equal(process.umask(), umask, 'an embedded server does not change the umask of its process');
  const { upload } = createTestClient(server.address, SECRET);
  const file = await npmTarball({ files: { 'index.js': '', 'lib/a.js': '' } });
  assert.equal((await upload('plugin@1', { file })).status, 201);
  assertPrivate(EARLIER);
  await server.close();
  assert.equal(run([BERTH, 'backup', BACKUP], EARLIER).status, 0);
  const elsewhere = { PUBLIC_URL: 'https://origin.example.org' };
  const { status, stderr } = run([BERTH, 'remotes', 'export', BUNDLE, '**'], EARLIER, elsewhere);
  assert.equal(status, 0, stderr);
});
after(() => {
  rmSync(scratch, { recursive: true });
});

for (const [name, words] of [
  ['api/server.ts', [SERVER]],
  ['berth serve', [BERTH, 'serve']],
] as const) {
  describe(name, () => {
    for (const situation of someInThisRun(SITUATIONS, 2)) {
      test(`keeps its data private, in a folder that is ${situation}`, async () => {
        const folder = prepare(situation);
        await withServer([...words], folder, async (url) => {
          const { upload } = createTestClient(url, SECRET);
          assert.equal((await upload('new', { format: 'file', file: Buffer.from('new') })).status, 201);
          assert.ok(existsSync(join(folder, 'berth.db-wal')));
          assertPrivateData(folder, situation);
        });
        assertPrivateData(folder, situation);
      });
    }
  });
}

describe('berth backup', () => {
  for (const target of inThisRun(SITUATIONS)) {
    test(`keeps the backup private, in a folder that is ${target}, and the data`, () => {
      const folder = prepare('exposed');
      const directory = join(scratch, `backup-${target}`);
      if (target === 'empty') mkdirSync(directory, { mode: 0o755 });
      if (target === 'exposed') {
        cpSync(BACKUP, directory, { recursive: true });
        exposeAll(directory);
      }
      const { status, stderr } = run([BERTH, 'backup', directory], folder);
      assert.equal(status, 0, stderr);
      assertPrivateData(folder, 'exposed');
      // An existing folder keeps its mode; the folder of the blobs protects those of an earlier backup.
      const isOfUser = (path: string) => target !== 'absent' && path === directory;
      const isEarlierBlob = (path: string) => target === 'exposed' && path.startsWith(join(directory, 'blobs/'));
      assertPrivate(directory, { except: (path) => isOfUser(path) || isEarlierBlob(path) });
    });
  }
});

/** Commands with their exit status in each situation. */
const OPERATIONS: [name: string, words: string[], status: Record<Situation, number>][] = [
  ['backup', ['backup', join(scratch, 'backup-of-none')], { absent: 1, empty: 1, exposed: 0 }],
  ['restore', ['restore', BACKUP], { absent: 0, empty: 0, exposed: 1 }],
  ['scrub', ['scrub'], { absent: 1, empty: 1, exposed: 0 }],
  ['gc', ['gc'], { absent: 1, empty: 1, exposed: 0 }],
  ['migrate', ['migrate'], { absent: 0, empty: 0, exposed: 0 }],
  ['remotes export', ['remotes', 'export', join(scratch, 'out.tar'), '**'], { absent: 1, empty: 1, exposed: 0 }],
  ['remotes import', ['remotes', 'import', BUNDLE], { absent: 1, empty: 1, exposed: 1 }],
];

const CASES = OPERATIONS.flatMap(([name, words, statuses]) =>
  SITUATIONS.map((situation) => ({ name, words, statuses, situation })),
);

for (const { name, words, statuses, situation } of someInThisRun(CASES, 8)) {
  test(`berth ${name} keeps the data private, in a folder that is ${situation}`, () => {
    const folder = prepare(situation);
    const { status, stderr } = run([BERTH, ...words], folder);
    assert.equal(status, statuses[situation], stderr);
    if (name === 'remotes export' && status === 0)
      assert.equal(statSync(join(scratch, 'out.tar')).mode & 0o777, 0o600);
    // Commands that find no instance do not touch the folder.
    if (readIfThere(folder).length > 0) assertPrivateData(folder, situation);
  });
}

test('a bundle is readable only by its owner', () => {
  assert.equal(statSync(BUNDLE).mode & 0o777, 0o600);
});

test('client commands respect the umask of their user, except for secrets', async () => {
  const folder = prepare('exposed');
  await withServer([BERTH, 'serve'], folder, async (url) => {
    const { api, internal, readKey } = createTestClient(url, SECRET);
    await api('PATCH', '/artefacts/plugin%401', { headers: internal, body: { public: true } });
    const key = { BERTH_API_KEY: await readKey({ type: 'organization', id: 'acme' }) };
    const login = run([BERTH, 'login', url], folder, key);
    assert.equal(login.status, 0, login.stderr);
    assert.equal(statSync(join(scratch, 'home/berth/config.json')).mode & 0o777, 0o600);
    const { status, stdout, stderr } = run([BERTH, 'pull', 'plugin@1', '--quiet'], folder);
    assert.equal(status, 0, stderr);
    for (const path of listAll(stdout.trim())) {
      const stats = statSync(path);
      assert.equal((stats.mode & 0o777).toString(8), stats.isDirectory() ? '755' : '644', path);
    }
  });
});

function readIfThere(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
