import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAttemptLimit, createSingleUse, attemptCleanupJob, networkOf } from '../../src/attempts/index.ts';
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
      for (let time = 0; time < times; time++) await it.count('uma');
    };
    const countsOf = async (name: string) =>
      (
        await testDatabase.database.db
          .selectFrom('failed_attempts')
          .select('count')
          .where('subject', 'like', `${name}:%`)
          .execute()
      ).map(({ count }) => count);

    test('refuses a subject over the limit across replicas, and no other subject', async () => {
      const [one, other] = [limit('shared'), limit('shared')];
      await fail(one, 2);
      await fail(other, 1);
      await assert.rejects(one.count('uma'), refused);
      await assert.rejects(other.count('uma'), refused);
      await one.count('ben');
      await limit('another name').count('uma');
      await other.reset('uma');
      await one.count('uma');
    });

    test('allows as many concurrent attempts as one after the other', async () => {
      const [one, other] = [limit('at once'), limit('at once')];
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? one : other).count('uma')),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
      assert.deepEqual(await countsOf('at once'), [3]);
    });

    test('allows another attempt for one that is taken back', async () => {
      const it = limit('taken back');
      await it.uncount('uma');
      await fail(it, 3);
      await it.uncount('uma');
      await fail(it, 1);
      await assert.rejects(it.count('uma'), refused);
    });

    test('says when to try again', async () => {
      const it = limit('later');
      await fail(it, 3);
      await assert.rejects(it.count('uma'), (error: { headers: Record<string, string> }) => {
        const seconds = Number(error.headers['retry-after']);
        return seconds > 50 && seconds <= 60;
      });
    });

    test('writes nothing for a subject that is already blocked', async () => {
      const it = limit('quiet');
      await fail(it, 3);
      for (let time = 0; time < 5; time++) await assert.rejects(it.count('uma'), refused);
      assert.deepEqual(await countsOf('quiet'), [3]);
    });

    test('starts a new window after the last one, and after a reset', async () => {
      const expiring = limit('over');
      await fail(expiring, 3);
      await assert.rejects(expiring.count('uma'), refused);
      // The window is measured by the database's clock, which cannot be mocked.
      await testDatabase.database.db
        .updateTable('failed_attempts')
        .set({ until: '2020-01-01T00:00:00.000Z' })
        .where('subject', 'like', 'over:%')
        .execute();
      await fail(expiring, 3);
      const reset = limit('reset');
      await fail(reset, 3);
      await reset.reset('uma');
      await fail(reset, 3);
    });

    test('stores subjects only as hashes, and deletes ended windows', async () => {
      await limit('private', 1).count('uma@example.org');
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
        deaths: 0,
        progress: () => undefined,
        assertHeld: () => Promise.resolve(),
      });
      assert.deepEqual(await subjects(), []);
    });
  });
}

for (const dialect of DIALECTS)
  test(`a single-use subject serves one of many concurrent claims, until given back, on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    try {
      const [one, other] = [0, 1].map(() => createSingleUse({ database, name: 'code', forMs: 60_000 }));
      assert.ok(one && other);
      const claims = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? one : other).claim('123')));
      assert.equal(claims.filter(Boolean).length, 1);
      assert.deepEqual([await one.claim('124'), await other.claim('124')], [true, false]);
      await other.release('123');
      assert.deepEqual([await one.claim('123'), await one.claim('123')], [true, false]);
    } finally {
      await close();
    }
  });

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
