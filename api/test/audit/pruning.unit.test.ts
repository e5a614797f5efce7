import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Actor } from '../../src/access/index.ts';
import { createAuditLog } from '../../src/audit/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { userCaller } from '../access/callers.ts';

const DAY_MS = 86_400_000;
const SUPERADMIN: Actor = { caller: userCaller({ isAdmin: true }), ip: '', requestId: '' };

for (const dialect of DIALECTS) {
  describe(`pruning the audit log on ${dialect}`, () => {
    let testDatabase: TestDatabase;
    before(async () => {
      testDatabase = await openTestDatabase(dialect);
    });
    after(() => testDatabase.close());

    const append = async (id: string, daysAgo: number) => {
      await testDatabase.database.db
        .insertInto('audit_events')
        .values({
          id,
          at: new Date(Date.now() - daysAgo * DAY_MS).toISOString(),
          actor_kind: 'internal',
          actor_id: null,
          actor_name: null,
          action: 'artefact.upload',
          target_type: 'artefact',
          target_id: id,
          outcome: 'success',
          ip: null,
          request_id: null,
          details: null,
        })
        .execute();
    };
    const remainingIds = async () =>
      (await testDatabase.database.db.selectFrom('audit_events').select('id').orderBy('id').execute()).map(
        ({ id }) => id,
      );
    const contextWith = (progress: (removed: number) => void, signal = new AbortController().signal) => ({
      signal,
      progress,
      interrupted: undefined,
      deaths: 0,
      assertHeld: () => Promise.resolve(),
    });

    test('deletes only events past the retention period, in batches', async () => {
      for (let number = 0; number < 7; number++) await append(`old-${number}`, 30.1 + number);
      await append('recent', 29.9);
      const reports: number[] = [];
      const { pruning } = createAuditLog({ database: testDatabase.database, retentionDays: 30, batchSize: 3 });
      assert.equal(await pruning.run(contextWith((removed) => void reports.push(removed))), 7);
      assert.deepEqual(reports, [3, 6]);
      assert.deepEqual(await remainingIds(), ['recent']);
    });

    test('stops between two batches when aborted', async () => {
      for (let number = 0; number < 5; number++) await append(`old-${number}`, 31);
      const stopping = new AbortController();
      const { pruning } = createAuditLog({ database: testDatabase.database, retentionDays: 30, batchSize: 2 });
      await assert.rejects(
        pruning.run(
          contextWith(() => {
            stopping.abort();
          }, stopping.signal),
        ),
        { name: 'AbortError' },
      );
      assert.equal((await remainingIds()).filter((id) => id.startsWith('old')).length, 3);
    });

    test('an export reads events with equal times exactly once', async () => {
      const at = new Date().toISOString();
      for (let number = 0; number < 8; number++) {
        await append(`same-${number}`, 0);
        await testDatabase.database.db
          .updateTable('audit_events')
          .set({ at })
          .where('id', '=', `same-${number}`)
          .execute();
      }
      const lines: string[] = [];
      for await (const chunk of createAuditLog({
        database: testDatabase.database,
        retentionDays: 30,
        batchSize: 3,
      }).export(SUPERADMIN, { from: at }))
        lines.push(...chunk.trim().split('\n'));
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { _id: string })._id),
        Array.from({ length: 8 }, (_unused, number) => `same-${number}`),
      );
    });

    test('an export ends with an error once its caller may no longer read the log', async () => {
      const log = createAuditLog({ database: testDatabase.database, retentionDays: 30, batchSize: 3 });
      let caller = SUPERADMIN.caller;
      const chunks: string[] = [];
      const read = async () => {
        for await (const chunk of log.export({ ...SUPERADMIN, reload: () => Promise.resolve(caller) }, {})) {
          chunks.push(chunk);
          caller = userCaller();
        }
      };
      await assert.rejects(read(), { code: 'forbidden' });
      assert.equal(chunks.length, 1);
    });
  });
}
