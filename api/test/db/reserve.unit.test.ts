import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Executor } from '../../src/db/index.ts';
import { createReserve, type Reserve } from '../../src/db/reserve.ts';
import { createFailingDatabase } from '../support/failing-database.ts';
import { openTestDatabase } from '../support/test-database.ts';
import { eventually } from '../support/eventually.ts';

const MIB = 1024 * 1024;
const SIZE = 2.5 * MIB;

async function makeReserve(
  t: TestContext,
): Promise<{ path: string; reserve: Reserve; sizeBytes: () => Promise<number> }> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-reserve-'));
  const path = join(directory, 'reserve');
  const reserve = createReserve({ path, sizeBytes: SIZE, intervalMs: 5 });
  t.after(async () => {
    await reserve.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { path, reserve, sizeBytes: async () => (await stat(path)).size };
}

test('a reserve takes space on the disk, readable by its owner only', async (t) => {
  const { path, reserve } = await makeReserve(t);
  reserve.keepFull();
  await eventually(async () => {
    const { size, blocks, mode } = await stat(path);
    assert.equal(size, SIZE);
    assert.ok(blocks * 512 >= SIZE);
    assert.equal(mode & 0o777, 0o600);
  });
});

test('a reserve is released part by part until nothing is left, and filled again', async (t) => {
  const { path, reserve, sizeBytes } = await makeReserve(t);
  await writeFile(path, Buffer.alloc(SIZE));
  for (const left of [1.5 * MIB, 0.5 * MIB, 0]) {
    assert.equal(reserve.release(), true);
    assert.equal(await sizeBytes(), left);
  }
  assert.equal(reserve.release(), false);
  reserve.keepFull();
  await eventually(async () => assert.equal(await sizeBytes(), SIZE));
  reserve.release();
  await eventually(async () => assert.equal(await sizeBytes(), SIZE));
});

test('a reserve of any length, as a crash leaves it, is completed', async (t) => {
  for (const length of [0, 1, MIB, SIZE - 1]) {
    const { path, reserve, sizeBytes } = await makeReserve(t);
    await writeFile(path, Buffer.alloc(length));
    reserve.keepFull();
    await eventually(async () => assert.equal(await sizeBytes(), SIZE));
  }
});

test('a reserve that does not exist, or cannot be created, is harmless', async (t) => {
  const { path, reserve } = await makeReserve(t);
  assert.equal(reserve.release(), false);
  const nowhere = createReserve({ path: join(path, 'no', 'folder') });
  nowhere.keepFull();
  assert.equal(nowhere.release(), false);
  await nowhere.close();
});

test('a reserve that is closed is not written any more', async (t) => {
  const { path, reserve } = await makeReserve(t);
  reserve.keepFull();
  await reserve.close();
  await rm(path, { force: true });
  await nextTurn();
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

for (const kind of ['a statement', 'a transaction'] as const) {
  test(`${kind} that makes room gets the reserve part by part, and any other gets nothing`, async (t) => {
    const { path, sizeBytes } = await makeReserve(t);
    await writeFile(path, Buffer.alloc(SIZE));
    const { database, close } = await openTestDatabase('sqlite', { reserve: path });
    const failing = await createFailingDatabase(database);
    let attempts = 0;
    const remove = (db: Executor) => {
      attempts++;
      return db
        .insertInto('blob_writers')
        .values({ storage_key: 'k', state: '', created_at: '', heartbeat_at: '' })
        .execute();
    };
    const run = () => (kind === 'a statement' ? remove(database.db) : database.transaction(remove));
    await failing.during('full', async () => {
      await assert.rejects(run(), { errcode: 13 });
      assert.equal(await sizeBytes(), SIZE);
      await assert.rejects(database.makingRoom(run), { errcode: 13 });
      assert.equal(await sizeBytes(), 0);
    });
    assert.equal(attempts, kind === 'a statement' ? 2 : 1 + 4);
    await writeFile(path, Buffer.alloc(SIZE));
    await database.makingRoom(run);
    assert.equal(await sizeBytes(), SIZE);
    await close();
  });
}
