import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { restore } from '../../index.ts';
import { blobPath } from '../../src/backup/layout.ts';
import { query } from '../support/stored-state.ts';
import type { TestServer } from '../support/test-server.ts';
import { createTestInstance, EMBEDDED, expectOk, type TestInstance } from './instance.ts';
import { runOperation, runToEnd } from './operation-process.ts';

const SIZE_BYTES = 9_000_000;
/** In KiB: smaller than a blob, larger than the files that SQLite writes. */
const FILE_LIMIT = 8192;
const IDS = ['intact', 'changed', 'truncated', 'missing'] as const;

let scratch: string;
let instance: TestInstance;
let server: TestServer;
const digests = new Map<string, string>();

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-damaged-'));
  instance = await createTestInstance(EMBEDDED);
  server = await instance.start();
  for (const [n, id] of IDS.entries()) await upload(id, n);
  for (const { artefact_id, digest } of await query<{ artefact_id: string; digest: string }>(
    server,
    'select artefact_id, digest from slots',
  ))
    digests.set(artefact_id, digest);
});
after(async () => {
  await server.close();
  await instance.remove();
  await rm(scratch, { recursive: true });
});

/** Runs in a separate process: a process must not open a SQLite file twice. */
const backup = async (directory: string, more: Record<string, string> = {}) =>
  (await runToEnd('backup', directory, { env: { ...instance.env, ...more } })).report;
const upload = (id: string, n: number) =>
  expectOk(server.upload(id, { format: 'file', file: Buffer.alloc(SIZE_BYTES, n + 1) }));
const artefact = (id: string) => [{ id, architecture: '' }];
const digestOf = (id: string) => digests.get(id) ?? '';
const inBackup = (directory: string, id: string) => blobPath(directory, digestOf(id));

async function storedFile(id: string): Promise<string> {
  const [row] = await query<{ storage_key: string }>(
    server,
    `select storage_key from blobs where digest = '${digestOf(id)}'`,
  );
  return join(server.dataDir, 'blobs', row!.storage_key);
}

async function withTarget(work: (target: TestInstance) => Promise<void>): Promise<void> {
  const target = await createTestInstance(EMBEDDED);
  try {
    await work(target);
  } finally {
    await target.remove();
  }
}

test('a full disk stops a backup with a clear error, and the next backup resumes', async () => {
  const directory = join(scratch, 'full');
  const outcome = await runOperation('backup', directory, { ...instance, limits: `ulimit -f ${FILE_LIMIT}` });
  assert.equal(outcome?.code, 'backup_directory_full');
  assert.match(outcome.message, /^No space left in .+full\. Free some space/);
  assert.deepEqual(
    (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('~part') || name.endsWith('.db')),
    [],
  );
  assert.deepEqual((await backup(directory)).lost, []);
});

test('a backup reports missing and damaged blobs, and copies the others', async () => {
  const directory = join(scratch, 'whole');
  await backup(directory);
  await writeFile(await storedFile('changed'), Buffer.alloc(SIZE_BYTES, 9));
  await truncate(await storedFile('truncated'), 1000);
  await rm(await storedFile('missing'));

  const lossy = join(scratch, 'lossy');
  const { lost, blobs } = await backup(lossy);
  assert.deepEqual(
    Object.fromEntries(
      lost.map(({ reason, artefacts }) => [reason === 'damaged' ? artefacts[0]?.id : reason, artefacts]),
    ),
    { changed: artefact('changed'), truncated: artefact('truncated'), missing: artefact('missing') },
  );
  assert.deepEqual([blobs.count, blobs.copied], [4, 1]);

  const { lost: none, blobs: kept } = await backup(directory);
  assert.deepEqual([none, kept.kept], [[], 4], 'an earlier backup still has them');
});

test('a restore skips lost blobs only with allowLost, and uploading the bytes again repairs them', async () => {
  const lossy = join(scratch, 'lossy');
  await withTarget(async (target) => {
    await assert.rejects(restore(target.env, lossy), { code: 'backup_lost_blobs', message: /changed.*--allow-lost/ });
    const { lost, blobs } = await restore(target.env, lossy, { allowLost: true });
    assert.deepEqual([lost.length, blobs.restored], [3, 1]);
    const restored = await target.start();
    try {
      const download = () => restored.api('GET', '/artefacts/changed/download', { headers: restored.internal });
      assert.equal((await download()).status, 500);
      await expectOk(restored.upload('changed', { format: 'file', file: Buffer.alloc(SIZE_BYTES, 2) }));
      assert.deepEqual(Buffer.from(await (await download()).arrayBuffer()), Buffer.alloc(SIZE_BYTES, 2));
    } finally {
      await restored.close();
    }
  });
});

test('blobs changed in the backup are detected by a restore and repaired by a backup with --verify', async () => {
  const directory = join(scratch, 'whole');
  await writeFile(inBackup(directory, 'intact'), Buffer.alloc(SIZE_BYTES, 7));
  await withTarget(async (target) => {
    await assert.rejects(restore(target.env, directory), {
      code: 'backup_lost_blobs',
      message: /missing or damaged blobs of intact/,
    });
    await assert.rejects(target.start(), { code: 'restore_incomplete' });

    assert.deepEqual((await backup(directory)).blobs.copied, 0);
    assert.deepEqual((await backup(directory, { VERIFY: '1' })).blobs.copied, 1);
    assert.deepEqual(await readFile(inBackup(directory, 'intact')), Buffer.alloc(SIZE_BYTES, 1));
    assert.deepEqual((await restore(target.env, directory)).lost, []);
    await (await target.start()).close();
  });
});

test('blobs that are no longer referenced are removed with the snapshot that contained them', async () => {
  const directory = join(scratch, 'whole');
  await expectOk(server.api('DELETE', '/artefacts/missing', { headers: server.internal }));
  assert.equal((await backup(directory)).blobs.removed, 1);
  await assert.rejects(readFile(inBackup(directory, 'missing')), { code: 'ENOENT' });
});
