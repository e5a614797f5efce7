import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { restore } from '../../index.ts';
import { blobPath } from '../../src/backup/layout.ts';
import { query } from '../support/stored-state.ts';
import type { TestServer } from '../support/test-server.ts';
import { createPlace, EMBEDDED, expectOk, type Place } from './instance.ts';
import { runOperation, runToEnd } from './operation-process.ts';

const SIZE_BYTES = 9_000_000;
/** In KiB: below the size of a blob, above that of what SQLite writes. */
const FILE_LIMIT = 8192;
const IDS = ['sound', 'changed', 'cut', 'gone'] as const;

let scratch: string;
let place: Place;
let server: TestServer;
const digests = new Map<string, string>();

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-damaged-'));
  place = await createPlace(EMBEDDED);
  server = await place.start();
  for (const [n, id] of IDS.entries()) await upload(id, n);
  for (const { artefact_id, digest } of await query<{ artefact_id: string; digest: string }>(
    server,
    'select artefact_id, digest from slots',
  ))
    digests.set(artefact_id, digest);
});
after(async () => {
  await server.close();
  await place.remove();
  await rm(scratch, { recursive: true });
});

/** In a process of its own: two in one process must not open the same SQLite file. */
const backup = async (directory: string, more: Record<string, string> = {}) =>
  (await runToEnd('backup', directory, { env: { ...place.env, ...more } })).report;
const upload = (id: string, n: number) =>
  expectOk(server.upload(id, { format: 'file', file: Buffer.alloc(SIZE_BYTES, n + 1) }));
const artefact = (id: string) => [{ id, architecture: '' }];
const digestOf = (id: string) => digests.get(id) ?? '';
const inBackup = (directory: string, id: string) => blobPath(directory, digestOf(id));

async function stored(id: string): Promise<string> {
  const [row] = await query<{ storage_key: string }>(
    server,
    `select storage_key from blobs where digest = '${digestOf(id)}'`,
  );
  return join(server.dataDir, 'blobs', row!.storage_key);
}

async function withTarget(work: (target: Place) => Promise<void>): Promise<void> {
  const target = await createPlace(EMBEDDED);
  try {
    await work(target);
  } finally {
    await target.remove();
  }
}

test('a full disk stops a backup in one sentence, and the next goes on', async () => {
  const directory = join(scratch, 'full');
  const outcome = await runOperation('backup', directory, { ...place, limits: `ulimit -f ${FILE_LIMIT}` });
  assert.equal(outcome?.code, 'backup_directory_full');
  assert.match(outcome.message, /^No room is left in .+full: make room there/);
  assert.deepEqual(
    (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('~part') || name.endsWith('.db')),
    [],
  );
  assert.deepEqual((await backup(directory)).lost, []);
});

test('a backup names bytes that it lost, and copies the others', async () => {
  const directory = join(scratch, 'whole');
  await backup(directory);
  await writeFile(await stored('changed'), Buffer.alloc(SIZE_BYTES, 9));
  await truncate(await stored('cut'), 1000);
  await rm(await stored('gone'));

  const lossy = join(scratch, 'lossy');
  const { lost, blobs } = await backup(lossy);
  assert.deepEqual(
    Object.fromEntries(
      lost.map(({ reason, artefacts }) => [reason === 'damaged' ? artefacts[0]?.id : reason, artefacts]),
    ),
    { changed: artefact('changed'), cut: artefact('cut'), missing: artefact('gone') },
  );
  assert.deepEqual([blobs.count, blobs.copied], [4, 1]);

  const { lost: none, blobs: kept } = await backup(directory);
  assert.deepEqual([none, kept.kept], [[], 4], 'an earlier backup still has them');
});

test('a restore does without what is lost only when it is told to, and uploading the bytes again heals', async () => {
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

test(
  'bytes that were changed in the backup are found while they are restored, and put right ' + 'by --verify',
  async () => {
    const directory = join(scratch, 'whole');
    await writeFile(inBackup(directory, 'sound'), Buffer.alloc(SIZE_BYTES, 7));
    await withTarget(async (target) => {
      await assert.rejects(restore(target.env, directory), {
        code: 'backup_lost_blobs',
        message: /right bytes of sound/,
      });
      await assert.rejects(target.start(), { code: 'restore_incomplete' });

      assert.deepEqual((await backup(directory)).blobs.copied, 0);
      assert.deepEqual((await backup(directory, { VERIFY: '1' })).blobs.copied, 1);
      assert.deepEqual(await readFile(inBackup(directory, 'sound')), Buffer.alloc(SIZE_BYTES, 1));
      assert.deepEqual((await restore(target.env, directory)).lost, []);
      await (await target.start()).close();
    });
  },
);

test('bytes that nothing refers to any more leave the backup with the snapshot that had them', async () => {
  const directory = join(scratch, 'whole');
  await expectOk(server.api('DELETE', '/artefacts/gone', { headers: server.internal }));
  assert.equal((await backup(directory)).blobs.removed, 1);
  await assert.rejects(readFile(inBackup(directory, 'gone')), { code: 'ENOENT' });
});
