import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { accountCleanupJob } from '../../src/accounts/index.ts';
import { createStrangerEvents } from '../../src/accounts/auth/stranger-events.ts';
import { jobContext } from '../support/job-context.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const HOUR_MS = 3_600_000;
const EXPIRED = 1_203;
const BY = { createdAt: new Date(), updatedAt: new Date() };

for (const dialect of DIALECTS) {
  describe(`what accounts leave behind on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
      const flag = dialect === 'postgres' ? false : 0;
      await opened.database.db
        .insertInto('user')
        .values({ ...BY, id: 'uma', name: 'Uma', email: 'uma@example.org', emailVerified: flag })
        .execute();
    });
    after(() => opened.close());

    const idsOf = async (table: 'session' | 'verification' | 'rateLimit') =>
      (await opened.database.db.selectFrom(table).select('id').execute()).map(({ id }) => id);

    test('is deleted once it has expired, and nothing else is', async () => {
      const { db } = opened.database;
      const at = (offsetMs: number) => new Date(Date.now() + offsetMs);
      const rows = [
        ...Array.from({ length: EXPIRED }, (_unused, n) => ({ id: `old-${n}`, expiresAt: at(-1 - n) })),
        { id: 'valid', expiresAt: at(HOUR_MS) },
      ];
      for (const { id, expiresAt } of rows) {
        await db
          .insertInto('session')
          .values({ ...BY, id, expiresAt, token: id, userId: 'uma' })
          .execute();
        await db
          .insertInto('verification')
          .values({ ...BY, id, expiresAt, identifier: id, value: 'uma' })
          .execute();
        const lastRequest = expiresAt.getTime() - (id === 'valid' ? 2 * HOUR_MS : 24 * HOUR_MS);
        await db.insertInto('rateLimit').values({ id, key: id, count: 1, lastRequest }).execute();
      }
      assert.deepEqual(await accountCleanupJob(opened.database).run(jobContext()), {
        sessions: EXPIRED,
        verifications: EXPIRED,
        rateLimits: EXPIRED,
      });
      for (const table of ['session', 'verification', 'rateLimit'] as const)
        assert.deepEqual(await idsOf(table), ['valid']);
    });

    test('strangers add a bounded number of events, which says so once; users are always recorded', async () => {
      const limit = { max: 5, windowMs: HOUR_MS };
      const warnings: string[] = [];
      const log = { warn: (message: string) => void warnings.push(message) };
      const replicas = [0, 1].map(() => createStrangerEvents({ database: opened.database, limit }));
      const isRecorded = async (n: number, email: string) => replicas[n % 2]?.isRecorded(email, log);
      const recorded = await Promise.all(
        Array.from({ length: 40 }, (_unused, n) => isRecorded(n, `x${n}@example.org`)),
      );
      assert.equal(recorded.filter(Boolean).length, limit.max);
      assert.equal(warnings.length, replicas.length);
      assert.equal(await isRecorded(0, 'uma@example.org'), true);
      assert.equal(await isRecorded(1, 'unknown'), false);
    });
  });
}
