// No cursor ever skips an event: not of a transaction that commits later than another with a higher number, whatever
// else is open, rolled back or written by other processes.

import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { times } from '../support/combinations.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import {
  beginTransaction,
  HELD_MS,
  runWriter,
  runWriterProcess,
  startFollower,
  withOutbox,
  write,
  type OutboxFollower,
} from './outbox-fixture.ts';

describe('events of open transactions on PostgreSQL', () => {
  let elsewhere: TestDatabase;
  before(async () => {
    elsewhere = await openTestDatabase('postgres');
  });
  after(() => elsewhere.close());

  for (const commits of [true, false])
    test(`wait for the one that began first, until it ${commits ? 'commits' : 'is rolled back'}`, () =>
      withOutbox('postgres', async ({ database, events, page }) => {
        await database.transaction((tx) => write(tx, 'before'));
        const follower = await startFollower(events, 'oldest');
        const [first, second] = [beginTransaction(database), beginTransaction(database)];
        await write(await first.tx, 'first');
        await write(await second.tx, 'second');
        await second.commit();
        const { subjects, next } = await eventually(async () => {
          const read = await page('oldest');
          assert.deepEqual(read.subjects, ['before']);
          return read;
        }, HELD_MS);
        assert.deepEqual(subjects, ['before']);
        assert.deepEqual(await page(next), { subjects: [], next });
        assert.equal((await page('latest')).next, next);
        if (commits) await first.commit();
        else await first.rollBack();
        const late = commits ? ['first', 'second'] : ['second'];
        await eventually(async () => {
          assert.deepEqual((await page(next)).subjects, late);
          assert.deepEqual(follower.received, ['before', ...late]);
        }, HELD_MS);
        await follower.stop();
      }));

  test('of one that writes again, after another has written, are read once each', () =>
    withOutbox('postgres', async ({ database, page }) => {
      const [first, second] = [beginTransaction(database), beginTransaction(database)];
      for (const [transaction, subject] of [
        [first, 'a'],
        [second, 'b'],
        [first, 'c'],
      ] as const)
        await write(await transaction.tx, subject);
      await first.commit();
      const { subjects, next } = await page('oldest');
      await second.commit();
      await eventually(async () => {
        const all = [...subjects, ...(await page(next)).subjects];
        assert.deepEqual([...all].sort(), ['a', 'b', 'c']);
        assert.ok(all.indexOf('a') < all.indexOf('c'));
      }, HELD_MS);
    }));

  test('wait for one whose client hangs, until PostgreSQL ends it', () =>
    withOutbox('postgres', async ({ database, page }) => {
      const hanging = beginTransaction(database);
      const tx = await hanging.tx;
      await write(tx, 'lost');
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
      await database.transaction((other) => write(other, 'kept'));
      assert.deepEqual((await page('oldest')).subjects, []);
      // As idle_in_transaction_session_timeout does.
      await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(elsewhere.database.db);
      await eventually(async () => {
        assert.deepEqual((await page('oldest')).subjects, ['kept']);
      }, HELD_MS);
      await assert.rejects(hanging.commit());
    }));

  test('wait for one of another database of the server, and none is lost', () =>
    withOutbox('postgres', async ({ database, events, page }) => {
      const follower = await startFollower(events, 'oldest');
      const other = beginTransaction(elsewhere.database);
      await write(await other.tx, 'elsewhere');
      for (const subject of ['one', 'two']) await database.transaction((tx) => write(tx, subject));
      const held = await page('oldest');
      assert.deepEqual(held, { subjects: [], next: 'oldest' });
      const before = await events.heldSeconds();
      await eventually(async () => {
        assert.ok((await events.heldSeconds()) > before && before >= 0);
      });
      await other.rollBack();
      await eventually(async () => {
        assert.deepEqual((await page('oldest')).subjects, ['one', 'two']);
        assert.deepEqual(follower.received, ['one', 'two']);
        assert.equal(await events.heldSeconds(), 0);
      }, HELD_MS);
      await follower.stop();
    }));

  test('do not wait for one that only reads', () =>
    withOutbox('postgres', async ({ database, page }) => {
      const reading = beginTransaction(database);
      await sql`select * from events`.execute(await reading.tx);
      await database.transaction((tx) => write(tx, 'one'));
      await eventually(async () => {
        assert.deepEqual((await page('oldest')).subjects, ['one']);
      }, HELD_MS);
      await reading.commit();
    }));

  test('of one artefact are in the order of its changes, whichever transaction got its number first', () =>
    withOutbox('postgres', async ({ database, page }) => {
      const [first, second] = [beginTransaction(database), beginTransaction(database)];
      // Changes lock the rows of their caller before those of the artefact.
      await sql`select pg_current_xact_id()`.execute(await first.tx);
      await write(await second.tx, 'created');
      await second.commit();
      await write(await first.tx, 'deleted');
      await first.commit();
      await eventually(async () => {
        assert.deepEqual((await page('oldest')).subjects, ['created', 'deleted']);
      }, HELD_MS);
    }));
});

for (const dialect of DIALECTS)
  test(`on ${dialect}, every committed event is read once, and in one order, by all who read meanwhile`, () =>
    withOutbox(dialect, async ({ opened, database, events, page }) => {
      const changes = times({ often: 150, seldom: 30 });
      const writing = Promise.all([
        ...['a', 'b', 'c'].map((name) => runWriter(database, name, changes)),
        ...['d', 'e'].map((name) => runWriterProcess(opened.url, name, changes)),
      ]);
      let isWriting = true;
      const readers = [1, 3, 100].map(async (size) => {
        const read: string[] = [];
        for (let cursor = 'oldest'; ; await nextTurn()) {
          const isLast = !isWriting;
          const { subjects, next } = await page(cursor, size);
          read.push(...subjects);
          if (isLast && next === cursor) return read;
          cursor = next;
        }
      }, HELD_MS);
      const followers = [await startFollower(events, 'oldest'), await startFollower(events, 'oldest')];
      /** These begin at a place in between. */
      const late: { before: string[]; follower: OutboxFollower }[] = [];
      const joining = async () => {
        let before: string[] = [];
        for (let cursor = 'oldest'; late.length < 10 && isWriting; await nextTurn()) {
          const { subjects, next } = await page(cursor, 5);
          if (subjects.length === 0) continue;
          before = [...before, ...subjects];
          cursor = next;
          late.push({ before, follower: await startFollower(events, next) });
        }
      };
      const joined = joining();
      const committed = (await writing).flat();
      isWriting = false;
      const [order = [], ...orders] = await Promise.all(readers);
      await joined;
      assert.ok(late.length > 0);
      assert.deepEqual([...order].sort(), committed.sort());
      for (const other of orders) assert.deepEqual(other, order);
      await eventually(async () => {
        for (const { received } of followers) assert.deepEqual(received, order);
        for (const { before, follower } of late) assert.deepEqual([...before, ...follower.received], order);
      }, HELD_MS);
      for (const follower of [...followers, ...late.map((it) => it.follower)]) await follower.stop();
    }));
