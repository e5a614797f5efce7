import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type * as declared from '../src/api.d.ts';

const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
const SECRET = 'internal-secret';
const scratch = mkdtempSync(join(tmpdir(), 'berth-operations-'));
const dataDir = join(scratch, 'data');
const directory = join(scratch, 'backup');

type Environment = Record<string, string>;
const environment = (more: Environment = {}) => ({ PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, SECRET_INTERNAL_SERVICES: SECRET, GC_GRACE_HOURS: '0', ...more });

function berth(words: string[], env: Environment = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: 'utf8', env: environment(env) });
  return { status, stdout, stderr };
}

function berthJson(words: string[], env: Environment = {}): unknown {
  const { status, stdout, stderr } = berth([...words, '--json'], env);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

let url: string;
let stopServer: () => Promise<void>;

before(async () => {
  const server = spawn(process.execPath, [PROGRAM, 'serve'], { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '';
    if (url !== '') break;
  }
  server.stdout.resume();
  stopServer = async () => {
    const exited = once(server, 'exit');
    server.kill();
    await exited;
  };
  for (const id of ['tiles', 'other']) {
    const form = new FormData();
    form.set('file', new Blob([id.repeat(1000)]), 'a.bin');
    const { status } = await fetch(`${url}/api/v1/artefacts/file/${id}`, { method: 'POST', headers: { 'x-secret-key': SECRET }, body: form });
    assert.equal(status, 201);
  }
});
after(async () => {
  await stopServer();
  rmSync(scratch, { recursive: true });
});

describe('beside a server that serves', () => {
  test('backup says what it did, and warns of secrets that it cannot have', () => {
    assert.deepEqual(berth(['backup', directory]), {
      status: 0,
      stdout: `${directory} has 2 artefacts with 2 blobs (10.0 kB); 2 copied now, 0 removed.\n`,
      stderr: 'berth backup: SECRET_INTERNAL_SERVICES is NOT in the backup, since the environment gives it: keep it elsewhere, since the instance needs the same one after a restore\n',
    });
    const { blobs, lost } = berthJson(['backup', directory, '--verify', '--quiet']) as { blobs: object; lost: unknown[] };
    assert.deepEqual([blobs, lost], [{ count: 2, sizeBytes: 10_000, copied: 0, kept: 2, removed: 0 }, []]);
  });

  test('restore fills an empty instance once, and says why not a second time', () => {
    const other = { DATA_DIR: join(scratch, 'restored') };
    const { status, stdout } = berth(['restore', directory], other);
    assert.equal(status, 0);
    assert.match(stdout, /^Restored 2 artefacts with 2 blobs \(10\.0 kB\), as they were at 20\d\d-\d\d-\d\dT\S+Z\.\n$/);
    assert.deepEqual(readFileSync(join(other.DATA_DIR, 'secrets.json')), readFileSync(join(dataDir, 'secrets.json')));
    assert.match(berth(['restore', directory], other).stderr, /^berth restore: The database is not empty [^\n]+\n$/);
    assert.equal(berth(['restore', directory], other).status, 1);
  });

  test('migrate, gc and scrub find nothing to do', () => {
    assert.deepEqual(berthJson(['migrate']), { migrated: [] });
    assert.deepEqual(berth(['migrate']), { status: 0, stdout: 'The database is up to date.\n', stderr: '' });
    assert.deepEqual(berth(['scrub']), { status: 0, stdout: 'Read 2 blobs (10.0 kB): 0 damaged, 0 missing.\n', stderr: '' });
    assert.match(berth(['gc', '--dry-run']).stdout, /^Would remove 0 blobs, 0 objects that no row names and 0 dead uploads \(0 B\)\.\n$/);
  });

  test('gc removes what a deletion has left', async () => {
    const { status } = await fetch(`${url}/api/v1/artefacts/other`, { method: 'DELETE', headers: { 'x-secret-key': SECRET } });
    assert.equal(status, 204);
    const { removedBlobs, digests } = berthJson(['gc', '--dry-run']) as { removedBlobs: number; digests: string[] };
    assert.deepEqual([removedBlobs, digests.length], [1, 1]);
    assert.match(berth(['gc']).stdout, /^Removed 1 blob, /);
  });

  test('scrub and backup name the artefacts whose bytes are damaged, and exit 1', () => {
    for (const file of globSync('*/*', { cwd: join(dataDir, 'blobs') })) truncateSync(join(dataDir, 'blobs', file), 10);
    const scrubbed = berth(['scrub']);
    assert.equal(scrubbed.status, 1);
    assert.match(scrubbed.stdout, /: 1 damaged, 0 missing\.\n$/);
    assert.match(scrubbed.stderr, /^berth scrub: upload these bytes again:\n {2}size {2}sha256:[0-9a-f]{64} {2}tiles\n$/);
    const saved = berth(['backup', join(scratch, 'lossy')]);
    assert.equal(saved.status, 1);
    assert.match(saved.stderr, /\nberth backup: 1 blob could not be copied; upload the bytes again:\n {2}damaged {2}sha256:[0-9a-f]{64} {2}tiles\n$/);
    const lost = berth(['restore', join(scratch, 'lossy')], { DATA_DIR: join(scratch, 'lossy-target') });
    assert.equal(lost.status, 1);
    assert.match(lost.stderr, /^berth restore: [^\n]+ lacks the right bytes of tiles: [^\n]+--allow-lost\.\n$/);
  });
});

describe('remotes', () => {
  test('carries artefacts from one instance to another in a file, and says what could not be carried', async () => {
    const form = new FormData();
    form.set('file', new Blob(['carried']), 'a.bin');
    assert.equal((await fetch(`${url}/api/v1/artefacts/file/carried`, { method: 'POST', headers: { 'x-secret-key': SECRET }, body: form })).status, 201);
    const file = join(scratch, 'ship.tar');
    const target = { DATA_DIR: join(scratch, 'air-gapped'), PUBLIC_URL: 'https://island.example.org' };
    const exported = berthJson(['remotes', 'export', file, 'carried'], { PUBLIC_URL: 'https://production.example.org' }) as { artefacts: number; failed: unknown[] };
    assert.deepEqual([exported.artefacts, exported.failed], [1, []]);
    assert.match(berth(['remotes', 'import', file], target).stderr, /there is no database/);
    berth(['backup', directory]);
    berth(['restore', directory, '--allow-lost'], target);
    // The ids are taken there, by the artefacts of the backup.
    const { status, stdout, stderr } = berth(['remotes', 'import', file], target);
    assert.equal(status, 1);
    assert.match(stdout, /^Mirrored 0 artefacts of https:\/\/production\.example\.org as of /);
    assert.match(stderr, /1 artefact could not be mirrored:\n {2}carried: An artefact with this id is here already/);
  });
});

describe('on a terminal', () => {
  const onTerminal = (env: Environment) => spawnSync('script', ['-qec', `${process.execPath} ${PROGRAM} backup ${join(scratch, 'terminal')}`, '/dev/null'], {
    encoding: 'utf8', env: { ...environment(env), TERM: 'xterm-256color' },
  }).stdout.replaceAll('\u001B', '<esc>');

  test('progress is one line that is drawn again and cleared at the end', () => {
    const output = onTerminal({});
    assert.match(output, /\r<esc>\[2K<esc>\[36m━*<esc>\[39m<esc>\[2m─*<esc>\[22m +\d+% {2}blobs: \d of \d, /);
    assert.match(output, /\r<esc>\[2K\S+terminal has /);
  });

  test('NO_COLOR leaves colours out', () => {
    assert.doesNotMatch(onTerminal({ NO_COLOR: '1' }), /<esc>\[\d+m/);
  });
});

test('the server has what the command expects of it, by types', async () => {
  const server: typeof declared = await import('../../api/index.ts');
  for (const name of ['serve', 'backup', 'restore', 'migrateDatabase', 'sweep', 'scrub'] as const) assert.equal(typeof server[name], 'function');
});
