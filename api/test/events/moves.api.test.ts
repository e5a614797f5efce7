// Events and their cursors after a restore into another kind of database, and a copy to another PostgreSQL server.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backup, restore } from '../../index.ts';
import { createTestInstance, type TestInstance } from '../backup/instance.ts';
import type { TestServer } from '../support/test-server.ts';
import { eventually } from '../support/eventually.ts';
import { follow, readAll, readPage } from './event-readers.ts';
import { startFollower, untilReadable, withOutbox, write } from './outbox-fixture.ts';

const upload = async (server: TestServer, id: string) =>
  assert.equal((await server.upload(id, { format: 'file', file: Buffer.from(id) })).status, 201);

test('events are restored in their order into either database, and cursors go on', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'berth-events-'));
  const instances: TestInstance[] = [];
  try {
    let expected: unknown[] = [];
    for (const [at, dialect] of (['sqlite', 'postgres', 'sqlite', 'postgres'] as const).entries()) {
      const instance = await createTestInstance({ dialect, storage: 'fs' });
      instances.push(instance);
      if (at > 0) await restore(instance.env, join(scratch, `${at - 1}`));
      const server = await instance.start();
      try {
        const { results, next } = await eventually(async () => {
          const page = await readPage(server, server.internal, { size: 1000 });
          assert.deepEqual(page.results, expected);
          return page;
        });
        for (const [index, { id }] of results.entries())
          assert.deepEqual((await readPage(server, server.internal, { after: id })).results, results.slice(index + 1));
        const follower = await follow(server, server.internal, {}, { lastEventId: next });
        for (const id of ['b', 'a', 'c']) await upload(server, `${id}${at}`);
        assert.ok((await server.api('DELETE', `/artefacts/a${at}`, { headers: server.internal })).ok);
        await eventually(async () => {
          assert.deepEqual(
            follower.events.map(({ subject }) => subject),
            [`b${at}`, `a${at}`, `c${at}`, `a${at}`],
          );
        });
        await follower.close();
        expected = [...expected, ...follower.events];
        assert.deepEqual(await readAll(server, server.internal, { size: 3 }), expected);
      } finally {
        await server.close();
      }
      await backup(instance.env, join(scratch, `${at}`));
      await assertPortable(join(scratch, `${at}`));
    }
  } finally {
    for (const instance of instances) await instance.remove();
    await rm(scratch, { recursive: true });
  }
});

/** Transaction IDs and row numbers are those of one server. */
async function assertPortable(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  for (const name of names.filter((it) => /(^|\/)events\./.test(it)))
    assert.doesNotMatch((await readFile(join(directory, name))).toString('latin1'), /tx_id|"seq"/);
}

for (const older of [0, 3])
  test(`events from a PostgreSQL server with higher transaction IDs are read (${older} adopted before)`, () =>
    withOutbox('postgres', async ({ database, events, page }) => {
      const writeOne = async (subject: string) => {
        await database.transaction((tx) => write(tx, subject));
        await untilReadable(database);
      };
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await writeOne(name);
      const rows = await database.db.selectFrom('events').select('seq').orderBy('seq').execute();
      for (const [at, { seq }] of rows.entries())
        await database.db
          .updateTable('events')
          // The last two had their numbers in another order than their transactions.
          .set({ tx_id: at < older ? at - older : 1e15 + (at < 4 ? at : 9 - at) })
          .where('seq', '=', seq)
          .execute();
      const ordered = await database.db
        .selectFrom('events')
        .select(['id', 'subject'])
        .orderBy('tx_id')
        .orderBy('seq')
        .execute();
      const names = ordered.map(({ subject }) => subject);
      assert.deepEqual(names.slice(4), ['f', 'e']);
      const cursors = ['oldest', ...ordered.map(({ id }) => id)];
      await events.adopt();
      for (const [at, cursor] of cursors.entries())
        assert.deepEqual((await page(cursor, 100)).subjects, names.slice(at));
      const follower = await startFollower(events, cursors[2]!);
      for (const name of ['g', 'h']) await writeOne(name);
      await events.adopt();
      for (const [at, cursor] of cursors.entries())
        assert.deepEqual((await page(cursor, 100)).subjects, [...names, 'g', 'h'].slice(at));
      await eventually(async () => {
        assert.deepEqual(follower.received, [...names, 'g', 'h'].slice(2));
      });
      await follower.stop();
      const ids = await database.db
        .selectFrom('events')
        .select(({ fn }) => fn.max('tx_id').as('max'))
        .executeTakeFirst();
      assert.ok(Number(ids?.max) < 1e15);
    }));
