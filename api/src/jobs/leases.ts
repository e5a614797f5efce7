// Leases: mutual exclusion across replicas. A lease expires when its holder stops renewing it.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Database, Tx } from '../db/index.ts';
import { LeaseLostError } from './errors.ts';
import { startHeartbeat } from './heartbeat.ts';
import { leaseRepository, type LeaseId } from './lease-repository.ts';

export interface Lease {
  readonly name: string;
  /** Fencing token: strictly increasing across holders. */
  readonly fencingToken: number;
  /** Aborted with `lease_lost` once another process may hold the lease, and by `release()`. */
  readonly signal: AbortSignal;
  /**
   * Checks, inside a transaction of the holder, that it still holds the lease. Nobody can acquire it before that
   * transaction ends.
   * @throws lease_lost
   */
  assertHeld(tx: Tx): Promise<void>;
  /** Renews the lease now, without waiting for the next heartbeat. @throws lease_lost */
  renew(): Promise<void>;
  /** Releases the lease, so that another process can acquire it immediately. Idempotent. */
  release(): Promise<void>;
}

export interface Leases {
  /**
   * Acquires a lease and renews it until `release()`, or until this process dies.
   *
   * @param name such as `storage.sweep`
   * @param ttlMs time until it expires after its holder died; it is renewed three times in that time. At least 300
   * @returns undefined while it is held, by this process too
   */
  acquire(name: string, ttlMs?: number): Promise<Lease | undefined>;
  /** Releases every lease that is held here. */
  close(): Promise<void>;
}

export interface LeasesOptions {
  database: Database;
  /** Holder name, unique to this instance. Default: host, process id and a random part. */
  holder?: string;
}

/** Long enough to survive a failover of the database, short enough to take over quickly from a dead replica. */
const DEFAULT_TTL_MS = 30_000;
const RENEWALS_PER_TTL = 3;

export function createLeases({
  database,
  holder = `${hostname()}:${process.pid}:${randomUUID()}`,
}: LeasesOptions): Leases {
  const held = new Set<Lease>();
  return {
    async acquire(name, ttlMs = DEFAULT_TTL_MS) {
      const askedAt = performance.now();
      const token = await leaseRepository(database.db, database.dialect).acquire(name, holder, ttlMs);
      if (token === undefined) return undefined;
      const lease = renewUntilReleased(database, { name, holder, token }, ttlMs, askedAt);
      held.add(lease);
      lease.signal.addEventListener('abort', () => {
        held.delete(lease);
      });
      return lease;
    },
    // If the database is unavailable, the leases expire by themselves.
    async close() {
      await Promise.allSettled([...held].map((lease) => lease.release()));
    },
  };
}

/** Renews the lease until it is released or lost. */
function renewUntilReleased(database: Database, id: LeaseId, ttlMs: number, askedAt: number): Lease {
  const leases = leaseRepository(database.db, database.dialect);
  const heartbeat = startHeartbeat({
    ttlMs,
    askedAt,
    intervalMs: ttlMs / RENEWALS_PER_TTL,
    renew: () => leases.renew(id, ttlMs),
    lost: () => leaseLost(id.name),
  });
  const { signal } = heartbeat;
  let released: Promise<void> | undefined;
  return {
    name: id.name,
    fencingToken: id.token,
    signal,
    async assertHeld(tx) {
      if (signal.aborted || !(await leaseRepository(tx, database.dialect).lock(id))) throw leaseLost(id.name);
    },
    async renew() {
      if (!signal.aborted) await heartbeat.beat();
      if (signal.aborted) throw leaseLost(id.name);
    },
    release: () =>
      (released ??= (async () => {
        heartbeat.stop();
        await leases.release(id);
      })()),
  };
}

function leaseLost(name: string): Error {
  return new LeaseLostError(
    `The lease ${name} has expired or was released, or another process holds it: try again later.`,
  );
}
