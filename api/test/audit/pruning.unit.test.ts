import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Caller } from '../../src/access/index.ts';
import { createAuditLog } from '../../src/audit/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { userCaller } from '../access/callers.ts';

const DAY_MS = 86_400_000;
const SUPERADMIN: Caller = userCaller({ isAdmin: true });

for (const dialect of DIALECTS) {
  describe(`pruning the audit log on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
    });
    after(() => opened.close());

    const append = async (id: string, daysAgo: number) => {
      await opened.database.db
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
    const kept = async () =>
      (await opened.database.db.selectFrom('audit_events').select('id').orderBy('id').execute()).map(({ id }) => id);
    const contextWith = (progress: (removed: number) => void, signal = new AbortController().signal) => ({
      signal,
      progress,
      interrupted: undefined,
      assertHeld: () => Promise.resolve(),
    });

    test('removes what is older than it is kept, in steps, and nothing else', async () => {
      for (let number = 0; number < 7; number++) await append(`old-${number}`, 30.1 + number);
      await append('young', 29.9);
      const shown: number[] = [];
      const { pruning } = createAuditLog({ database: opened.database, retentionDays: 30, stepSize: 3 });
      assert.equal(await pruning.run(contextWith((removed) => void shown.push(removed))), 7);
      assert.deepEqual(shown, [3, 6]);
      assert.deepEqual(await kept(), ['young']);
    });

    test('stops between two steps when the server does', async () => {
      for (let number = 0; number < 5; number++) await append(`old-${number}`, 31);
      const stopping = new AbortController();
      const { pruning } = createAuditLog({ database: opened.database, retentionDays: 30, stepSize: 2 });
      await assert.rejects(
        pruning.run(
          contextWith(() => {
            stopping.abort();
          }, stopping.signal),
        ),
        { name: 'AbortError' },
      );
      assert.equal((await kept()).filter((id) => id.startsWith('old')).length, 3);
    });

    test('leaves an export whole: events of one moment are read once each', async () => {
      const at = new Date().toISOString();
      for (let number = 0; number < 8; number++) {
        await append(`same-${number}`, 0);
        await opened.database.db.updateTable('audit_events').set({ at }).where('id', '=', `same-${number}`).execute();
      }
      const lines: string[] = [];
      for await (const chunk of createAuditLog({ database: opened.database, retentionDays: 30, stepSize: 3 }).export(
        SUPERADMIN,
        { from: at },
      ))
        lines.push(...chunk.trim().split('\n'));
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { _id: string })._id),
        Array.from({ length: 8 }, (_unused, number) => `same-${number}`),
      );
    });
  });
}
