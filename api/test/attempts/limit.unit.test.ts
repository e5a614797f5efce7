import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAttemptLimit, attemptCleanupJob, networkOf } from '../../src/attempts/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  describe(`an attempt limit on ${dialect}`, () => {
    let testDatabase: TestDatabase;
    before(async () => {
      testDatabase = await openTestDatabase(dialect);
    });
    after(() => testDatabase.close());

    const limit = (name: string, windowMs = 60_000) =>
      createAttemptLimit({ database: testDatabase.database, name, max: 3, windowMs });
    const refused = { code: 'too_many_attempts', status: 429 };
    const fail = async (it: ReturnType<typeof limit>, times: number) => {
      for (let time = 0; time < times; time++) await it.countFailure('uma');
    };

    test('refuses a subject over the limit across replicas, and no other subject', async () => {
      const [one, other] = [limit('shared'), limit('shared')];
      await fail(one, 2);
      await fail(other, 1);
      await assert.rejects(one.countFailure('uma'), refused);
      await assert.rejects(other.assertAllowed('uma'), refused);
      await one.assertAllowed('ben');
      await limit('another name').assertAllowed('uma');
    });

    test('says when to try again', async () => {
      const it = limit('later');
      await fail(it, 3);
      await assert.rejects(it.countFailure('uma'), (error: { headers: Record<string, string> }) => {
        const seconds = Number(error.headers['retry-after']);
        return seconds > 50 && seconds <= 60;
      });
    });

    test('writes nothing for a subject that is already blocked', async () => {
      const it = limit('quiet');
      await fail(it, 3);
      const counts = async () =>
        (
          await testDatabase.database.db
            .selectFrom('failed_attempts')
            .select('count')
            .where('subject', 'like', 'quiet:%')
            .execute()
        ).map(({ count }) => count);
      for (let time = 0; time < 5; time++) await assert.rejects(it.countFailure('uma'), refused);
      assert.deepEqual(await counts(), [4]);
    });

    test('starts a new window after the last one, and after a reset', async (t) => {
      const expiring = limit('over');
      await fail(expiring, 3);
      await assert.rejects(expiring.countFailure('uma'), refused);
      // The window is measured by the database's clock, which cannot be mocked.
      await testDatabase.database.db
        .updateTable('failed_attempts')
        .set({ until: '2020-01-01T00:00:00.000Z' })
        .where('subject', 'like', 'over:%')
        .execute();
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
      await expiring.assertAllowed('uma');
      await fail(expiring, 3);
      t.mock.timers.reset();
      const reset = limit('reset');
      await fail(reset, 3);
      await reset.reset('uma');
      await fail(reset, 3);
    });

    test('stores subjects only as hashes, and deletes ended windows', async () => {
      await limit('private', 1).countFailure('uma@example.org');
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
      const subjects = async () =>
        (
          await testDatabase.database.db
            .selectFrom('failed_attempts')
            .select('subject')
            .where('subject', 'like', 'private:%')
            .execute()
        ).map(({ subject }) => subject);
      assert.ok((await subjects()).every((subject) => !subject.includes('uma')));
      await attemptCleanupJob(testDatabase.database).run({
        signal: new AbortController().signal,
        interrupted: undefined,
        progress: () => undefined,
        assertHeld: () => Promise.resolve(),
      });
      assert.deepEqual(await subjects(), []);
    });
  });
}

test('networkOf groups the addresses of one subscriber', () => {
  const cases = {
    '192.0.2.7': '192.0.2.7',
    '::ffff:192.0.2.7': '192.0.2.7',
    '2001:db8:0:1::5': '2001:db8:0:1::/64',
    '2001:0db8::1:2:3:4:5': '2001:db8:0:1::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '::1': '0:0:0:0::/64',
    'unknown': 'unknown',
  };
  for (const [ip, network] of Object.entries(cases)) assert.equal(networkOf(ip), network, ip);
});
