// deploy/berth-backup.sh, on the data of a running server.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { environment, PROGRAM, scratch, SECRET, url, withServedInstance } from '../../cli/test/served-instance.ts';

withServedInstance();

const SCRIPT = join(repositoryRoot, 'deploy/berth-backup.sh');
const SATURDAY = '2026-01-31';
const SUNDAY = '2026-02-01';
const MONDAY = '2026-02-02';
const directory = join(scratch, 'backups');
const programs = join(scratch, 'programs');

before(() => {
  mkdirSync(programs);
  symlinkSync(PROGRAM, join(programs, 'berth'));
  symlinkSync(process.execPath, join(programs, 'node'));
  writeFileSync(join(programs, 'date'), '#!/bin/sh\nexec /bin/date --date="$DAY" "$@"\n', { mode: 0o755 });
});

/** Runs the script on a day. */
function backUp(day: string, copies: string[] = [], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(SCRIPT, [directory, ...copies], {
    encoding: 'utf8',
    env: { ...environment(env), PATH: `${programs}:/usr/bin:/bin`, DAY: day },
  });
  return { status, stdout, stderr };
}
const names = () => readdirSync(directory).sort();
const blobs = (name: string) => globSync('blobs/sha256/??/*', { cwd: join(directory, name) }).sort();
const manifestOf = (name: string) => readFileSync(join(directory, name, 'manifest.json'), 'utf8');

async function publish(id: string): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([id]), id);
  const headers = { 'x-secret-key': SECRET };
  const response = await fetch(`${url}/api/v1/artefacts/file/${id}`, { method: 'POST', headers, body: form });
  assert.equal(response.status, 201);
}

test('keeps a copy of each day, which later backups do not change and which shares their files', async () => {
  assert.equal(backUp(SATURDAY).status, 0);
  assert.deepEqual(names(), [SATURDAY, 'current']);
  const first = manifestOf(SATURDAY);
  await publish('later');
  assert.equal(backUp(SUNDAY).status, 0);
  assert.deepEqual(names(), [SATURDAY, SUNDAY, 'current']);
  assert.equal(manifestOf(SATURDAY), first);
  assert.equal(manifestOf(SUNDAY), manifestOf('current'));
  assert.equal(blobs(SUNDAY).length, blobs(SATURDAY).length + 1);
  const [shared = ''] = blobs(SATURDAY);
  const inodes = [SATURDAY, SUNDAY, 'current'].map((name) => statSync(join(directory, name, shared)).ino);
  assert.equal(new Set(inodes).size, 1);
  assert.equal(statSync(join(directory, SUNDAY)).mode & 0o077, 0);
});

test('reads back what is there already on Sundays only', () => {
  const path = join(directory, 'current', blobs('current')[0] ?? '');
  const bytes = readFileSync(path);
  // Another file, so that the copies keep theirs.
  renameSync(path, `${path}~`);
  writeFileSync(
    path,
    bytes.map((byte) => byte ^ 1),
  );
  backUp(SATURDAY);
  assert.ok(!readFileSync(path).equals(bytes));
  backUp(SUNDAY);
  assert.ok(readFileSync(path).equals(bytes));
});

test('keeps no more copies than it should, and no copy of a backup that failed', () => {
  assert.equal(backUp(MONDAY, ['2'], { DATA_DIR: join(scratch, 'nothing') }).status, 1);
  assert.deepEqual(names(), [SATURDAY, SUNDAY, 'current']);
  backUp(MONDAY, ['2']);
  assert.deepEqual(names(), [SUNDAY, MONDAY, 'current']);
});
