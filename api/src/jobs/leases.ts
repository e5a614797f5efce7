// Leases: the right to do something alone among all replicas, for as long as the holder lives.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Database, Tx } from '../db/index.ts';
import { LeaseLostError } from './errors.ts';
import { startHeartbeat } from './heartbeat.ts';
import { leaseRepository, type LeaseId } from './lease-repository.ts';

export interface Lease {
  readonly name: string;
  /** Greater than that of every earlier holder. */
  readonly token: number;
  /** Aborted, with `lease_lost` as the reason, once another may have the lease; and by `release()`. */
  readonly signal: AbortSignal;
  /**
   * Refuses, inside a transaction of the holder, when another has the lease; nobody takes it before that transaction
   * ends.
   * @throws lease_lost
   */
  assertHeld(tx: Tx): Promise<void>;
  /** Renews the lease now instead of with the next heartbeat. @throws lease_lost */
  renew(): Promise<void>;
  /** Gives the lease back, so that another can have it at once. Does nothing the second time. */
  release(): Promise<void>;
}

export interface Leases {
  /**
   * Takes a lease and keeps it until `release()`, or until this process dies.
   *
   * @param name such as `storage.sweep`
   * @param ttlMs for how long it stays taken when its holder dies; it is renewed three times as often. At least 300
   * @returns undefined while somebody has it, this process included
   */
  acquire(name: string, ttlMs?: number): Promise<Lease | undefined>;
  /** Gives back every lease that is held. */
  close(): Promise<void>;
}

export interface LeasesOptions {
  database: Database;
  /** Who holds; unique to this instance. Default: host, process and a random part. */
  holder?: string;
}

/** Long enough to outlive a failover of the database, short enough that nobody waits for a dead replica's work. */
const DEFAULT_TTL_MS = 30_000;
const BEATS_PER_TTL = 3;

export function createLeases({
  database,
  holder = `${hostname()}:${process.pid}:${randomUUID()}`,
}: LeasesOptions): Leases {
  const held = new Set<Lease>();
  return {
    async acquire(name, ttlMs = DEFAULT_TTL_MS) {
      const askedAt = performance.now();
      const token = await leaseRepository(database.db, database.dialect).take(name, holder, ttlMs);
      if (token === undefined) return undefined;
      const lease = keep(database, { name, holder, token }, ttlMs, askedAt);
      held.add(lease);
      lease.signal.addEventListener('abort', () => {
        held.delete(lease);
      });
      return lease;
    },
    // A database that is away hears of none of it: they expire by themselves then.
    async close() {
      await Promise.allSettled([...held].map((lease) => lease.release()));
    },
  };
}

/** Renews the lease until it is released or lost. */
function keep(database: Database, id: LeaseId, ttlMs: number, askedAt: number): Lease {
  const leases = leaseRepository(database.db, database.dialect);
  const heartbeat = startHeartbeat({
    ttlMs,
    askedAt,
    intervalMs: ttlMs / BEATS_PER_TTL,
    renew: () => leases.renew(id, ttlMs),
    lost: () => lost(id.name),
  });
  const { signal } = heartbeat;
  let released: Promise<void> | undefined;
  return {
    name: id.name,
    token: id.token,
    signal,
    async assertHeld(tx) {
      if (signal.aborted || !(await leaseRepository(tx, database.dialect).lock(id))) throw lost(id.name);
    },
    async renew() {
      if (!signal.aborted) await heartbeat.beat();
      if (signal.aborted) throw lost(id.name);
    },
    release: () =>
      (released ??= (async () => {
        heartbeat.stop();
        await leases.release(id);
      })()),
  };
}

function lost(name: string): Error {
  return new LeaseLostError(`Another process has taken over ${name}, or this one gave it back: try again later.`);
}
