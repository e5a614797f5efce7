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
    const acquire = async (from: Leases, name: string, ttlMs = LONG_MS): Promise<Lease> => {
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

    test('has one holder when many acquire it concurrently', async () => {
      const acquired = await Promise.all(
        Array.from({ length: 12 }, (_, n) => (n % 2 ? one : other).acquire('crowd', LONG_MS)),
      );
      assert.equal(acquired.filter((lease) => lease !== undefined).length, 1);
    });

    test('is free immediately after its release, and its fencing token grows', async () => {
      const first = await acquire(one, 'released');
      assert.equal(await other.acquire('released', LONG_MS), undefined);
      await first.release();
      await first.release();
      const second = await acquire(other, 'released');
      assert.ok(second.fencingToken > first.fencingToken);
      assert.ok(first.signal.aborted);
      assert.ok(!second.signal.aborted);
    });

    test('is independent of leases with other names', async () => {
      await acquire(one, 'left');
      await acquire(other, 'right');
    });

    test('lets its holder write, and rejects a former holder inside its transaction', async () => {
      const former = await acquire(one, 'fenced');
      await holds(former);
      await expire('fenced');
      const present = await acquire(other, 'fenced');
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
      // A release by the former holder has no effect.
      await former.release();
      await holds(present);
    });

    test('rejects a holder that has released it', async () => {
      const lease = await acquire(one, 'released-before-use');
      await lease.release();
      await assert.rejects(holds(lease), { code: 'lease_lost' });
      await assert.rejects(lease.renew(), { code: 'lease_lost' });
    });

    test('cannot be acquired before a transaction that asserted it has ended', async () => {
      const lease = await acquire(one, 'locked');
      await expire('locked');
      const order: string[] = [];
      const asserted = Promise.withResolvers<void>();
      const acquiring = asserted.promise.then(() => acquire(other, 'locked')).then(() => order.push('acquired'));
      await database.transaction(async (tx) => {
        await lease.assertHeld(tx);
        asserted.resolve();
        await sleep(50);
        order.push('written');
      });
      await acquiring;
      assert.deepEqual(order, ['written', 'acquired']);
    });

    test('is renewed beyond its TTL while its holder lives', async () => {
      const lease = await acquire(one, 'renewed', SHORT_MS);
      const expiry = async () =>
        (
          await database.db
            .selectFrom('leases')
            .select('expires_at')
            .where('name', '=', 'renewed')
            .executeTakeFirstOrThrow()
        ).expires_at;
      const first = await expiry();
      const isLater = async () => {
        assert.ok(Date.parse(await expiry()) > Date.parse(first) + 2 * SHORT_MS);
      };
      await eventually(isLater);
      assert.equal(await other.acquire('renewed', SHORT_MS), undefined);
      assert.ok(!lease.signal.aborted);
      await lease.release();
    });

    test('aborts the signal of its holder when another process has it', async () => {
      const lease = await acquire(one, 'stolen', SHORT_MS);
      await database.db
        .updateTable('leases')
        .set({ holder: 'another process', token: lease.fencingToken + 1 })
        .where('name', '=', 'stolen')
        .execute();
      await eventually(async () => {
        assert.ok(lease.signal.aborted);
      });
      assert.equal((lease.signal.reason as { code: string }).code, 'lease_lost');
    });

    test('expires for a holder that cannot reach the database', async () => {
      const unreachable = createDatabase({ url: opened.url });
      const lease = await acquire(leasesOf(unreachable), 'cut-off', SHORT_MS);
      await unreachable.close();
      await eventually(async () => {
        assert.ok(lease.signal.aborted);
      });
      await eventually(async () => {
        await acquire(other, 'cut-off');
      });
    });

    test('uses the clock of the database, not that of the process', async (t) => {
      const lease = await acquire(one, 'skewed');
      for (const skewMs of [365 * 86_400_000, -365 * 86_400_000]) {
        await withClock(t, Date.now() + skewMs, async () => {
          assert.equal(await other.acquire('skewed', LONG_MS), undefined);
          const skewed = await acquire(other, `skewed ${skewMs}`);
          assert.equal(await one.acquire(`skewed ${skewMs}`, LONG_MS), undefined);
          await skewed.renew();
          await holds(skewed);
        });
      }
      await holds(lease);
    });

    test('is released with all others when its holder stops', async () => {
      const stopping = leasesOf(database);
      const leases = [await acquire(stopping, 'stop-1'), await acquire(stopping, 'stop-2')];
      await stopping.close();
      for (const { name, signal } of leases) {
        assert.ok(signal.aborted);
        await acquire(other, name);
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
