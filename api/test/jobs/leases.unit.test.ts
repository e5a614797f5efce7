import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, type Database } from '../../src/db/index.ts';
import { createJobs, type Lease, type Leases } from '../../src/jobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const LONG_MS = 60_000;
const SHORT_MS = 300;

for (const dialect of DIALECTS) {
  describe(`a lease on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    let one: Leases;
    let other: Leases;

    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
      one = leasesOf(database);
      other = leasesOf(database);
    });
    after(async () => {
      await Promise.all([one.close(), other.close()]);
      await opened.close();
    });

    const leasesOf = (of: Database) => createJobs({ database: of, onError: () => undefined }).leases;
    const take = async (from: Leases, name: string, ttlMs = LONG_MS): Promise<Lease> => {
      const lease = await from.acquire(name, ttlMs);
      assert.ok(lease);
      return lease;
    };
    /** Makes a lease expire by the database's clock, as when its holder has not renewed it. */
    const expire = (name: string) =>
      database.db
        .updateTable('leases')
        .set({ expires_at: '2000-01-01T00:00:00.000Z' })
        .where('name', '=', name)
        .execute();
    const holds = (lease: Lease) => database.transaction((tx) => lease.assertHeld(tx));

    test('has one holder of all who ask at once, and the others get nothing', async () => {
      const asked = await Promise.all(
        Array.from({ length: 12 }, (_, n) => (n % 2 ? one : other).acquire('crowd', LONG_MS)),
      );
      assert.equal(asked.filter((lease) => lease !== undefined).length, 1);
    });

    test('is free at once when it is released, and its token has grown', async () => {
      const first = await take(one, 'released');
      assert.equal(await other.acquire('released', LONG_MS), undefined);
      await first.release();
      await first.release();
      const second = await take(other, 'released');
      assert.ok(second.token > first.token);
      assert.ok(first.signal.aborted);
      assert.ok(!second.signal.aborted);
    });

    test('does not stand in the way of one of another name', async () => {
      await take(one, 'left');
      await take(other, 'right');
    });

    test('lets its holder write, and refuses a former one inside his transaction', async () => {
      const former = await take(one, 'fenced');
      await holds(former);
      await expire('fenced');
      const present = await take(other, 'fenced');
      await assert.rejects(
        database.transaction(async (tx) => {
          await tx
            .insertInto('blob_writers')
            .values({ storage_key: 'stale', state: '', created_at: '', heartbeat_at: '' })
            .execute();
          await former.assertHeld(tx);
        }),
        { code: 'lease_lost' },
      );
      assert.equal(await database.db.selectFrom('blob_writers').selectAll().executeTakeFirst(), undefined);
      await holds(present);
      // What the former holder gives back is not his any more.
      await former.release();
      await holds(present);
    });

    test('refuses a holder that has given it back', async () => {
      const lease = await take(one, 'given-back');
      await lease.release();
      await assert.rejects(holds(lease), { code: 'lease_lost' });
      await assert.rejects(lease.renew(), { code: 'lease_lost' });
    });

    test('cannot be taken before a transaction that asserted it has ended', async () => {
      const lease = await take(one, 'locked');
      await expire('locked');
      const order: string[] = [];
      const asserted = Promise.withResolvers<void>();
      const taken = asserted.promise.then(() => take(other, 'locked')).then(() => order.push('taken'));
      await database.transaction(async (tx) => {
        await lease.assertHeld(tx);
        asserted.resolve();
        await sleep(50);
        order.push('written');
      });
      await taken;
      assert.deepEqual(order, ['written', 'taken']);
    });

    test('lives on while its holder lives, far beyond the time for which it was taken', async () => {
      const lease = await take(one, 'beating', SHORT_MS);
      const expiry = async () =>
        (
          await database.db
            .selectFrom('leases')
            .select('expires_at')
            .where('name', '=', 'beating')
            .executeTakeFirstOrThrow()
        ).expires_at;
      const first = await expiry();
      const isLater = async () => {
        assert.ok(Date.parse(await expiry()) > Date.parse(first) + 2 * SHORT_MS);
      };
      await eventually(isLater);
      assert.equal(await other.acquire('beating', SHORT_MS), undefined);
      assert.ok(!lease.signal.aborted);
      await lease.release();
    });

    test('tells its holder by its signal that another has it', async () => {
      const lease = await take(one, 'robbed', SHORT_MS);
      await database.db
        .updateTable('leases')
        .set({ holder: 'a robber', token: lease.token + 1 })
        .where('name', '=', 'robbed')
        .execute();
      await eventually(async () => {
        assert.ok(lease.signal.aborted);
      });
      assert.equal((lease.signal.reason as { code: string }).code, 'lease_lost');
    });

    test('is given up by a holder that cannot reach the database', async () => {
      const away = createDatabase({ url: opened.url });
      const lease = await take(leasesOf(away), 'cut-off', SHORT_MS);
      await away.close();
      await eventually(async () => {
        assert.ok(lease.signal.aborted);
      });
      await eventually(async () => {
        await take(other, 'cut-off');
      });
    });

    test('goes by the clock of the database, whatever the clock of a process says', async (t) => {
      const lease = await take(one, 'skewed');
      for (const skewMs of [365 * 86_400_000, -365 * 86_400_000]) {
        await withClock(t, Date.now() + skewMs, async () => {
          assert.equal(await other.acquire('skewed', LONG_MS), undefined);
          const taken = await take(other, `skewed ${skewMs}`);
          assert.equal(await one.acquire(`skewed ${skewMs}`, LONG_MS), undefined);
          await taken.renew();
          await holds(taken);
        });
      }
      await holds(lease);
    });

    test('is given back with all others when their holder stops', async () => {
      const stopping = leasesOf(database);
      const leases = [await take(stopping, 'stop-1'), await take(stopping, 'stop-2')];
      await stopping.close();
      for (const { name, signal } of leases) {
        assert.ok(signal.aborted);
        await take(other, name);
      }
    });

    async function withClock(t: TestContext, now: number, work: () => Promise<void>): Promise<void> {
      t.mock.timers.enable({ apis: ['Date'], now });
      try {
        await work();
      } finally {
        t.mock.timers.reset();
      }
    }
  });
}
