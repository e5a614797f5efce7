import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAttemptLimit, attemptCleanupJob, networkOf } from '../../src/attempts/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  describe(`a limit of attempts on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
    });
    after(() => opened.close());

    const limit = (name: string, windowMs = 60_000) =>
      createAttemptLimit({ database: opened.database, name, max: 3, windowMs });
    const refused = { code: 'too_many_attempts', status: 429 };
    const fail = async (it: ReturnType<typeof limit>, times: number) => {
      for (let time = 0; time < times; time++) await it.count('uma');
    };

    test('refuses what is one too many, for all replicas together, and nobody else', async () => {
      const [one, other] = [limit('shared'), limit('shared')];
      await fail(one, 2);
      await fail(other, 1);
      await assert.rejects(one.count('uma'), refused);
      await assert.rejects(other.assertFree('uma'), refused);
      await one.assertFree('ben');
      await limit('another name').assertFree('uma');
    });

    test('tells when to come back', async () => {
      const it = limit('later');
      await fail(it, 3);
      await assert.rejects(it.count('uma'), (error: { headers: Record<string, string> }) => {
        const seconds = Number(error.headers['retry-after']);
        return seconds > 50 && seconds <= 60;
      });
    });

    test('writes nothing more for whoever is beyond it', async () => {
      const it = limit('quiet');
      await fail(it, 3);
      const counts = async () =>
        (
          await opened.database.db
            .selectFrom('failed_attempts')
            .select('count')
            .where('subject', 'like', 'quiet:%')
            .execute()
        ).map(({ count }) => count);
      for (let time = 0; time < 5; time++) await assert.rejects(it.count('uma'), refused);
      assert.deepEqual(await counts(), [4]);
    });

    test('begins anew after its window, and after a success', async (t) => {
      const limited = limit('over');
      await fail(limited, 3);
      await assert.rejects(limited.count('uma'), refused);
      // The database has a clock of its own.
      await opened.database.db
        .updateTable('failed_attempts')
        .set({ until: '2020-01-01T00:00:00.000Z' })
        .where('subject', 'like', 'over:%')
        .execute();
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
      await limited.assertFree('uma');
      await fail(limited, 3);
      t.mock.timers.reset();
      const forgiving = limit('forgiving');
      await fail(forgiving, 3);
      await forgiving.forget('uma');
      await fail(forgiving, 3);
    });

    test('does not keep who it was, nor what is over', async () => {
      await limit('private', 1).count('uma@example.org');
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
      const subjects = async () =>
        (
          await opened.database.db
            .selectFrom('failed_attempts')
            .select('subject')
            .where('subject', 'like', 'private:%')
            .execute()
        ).map(({ subject }) => subject);
      assert.ok((await subjects()).every((subject) => !subject.includes('uma')));
      await attemptCleanupJob(opened.database).run({
        signal: new AbortController().signal,
        interrupted: undefined,
        progress: () => undefined,
        assertHeld: () => Promise.resolve(),
      });
      assert.deepEqual(await subjects(), []);
    });
  });
}

test('addresses of one subscriber are one', () => {
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
