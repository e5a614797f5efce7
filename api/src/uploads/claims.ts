// One writer at a time, across all processes: a claim in the upload's row, renewed by a heartbeat, which expires when
// its holder dies.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { UploadNotFoundError } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import { startHeartbeat } from '../jobs/index.ts';
import { UploadLockedError } from './errors.ts';
import { uploadRepository } from './repository.ts';

export interface Claim {
  readonly id: string;
  /** What the row holds while the claim is good. */
  readonly claim: string;
  /** Aborted, with upload_locked, once another may have the claim: write nothing from then on. */
  readonly signal: AbortSignal;
  /** Called about every two seconds while another request waits for the claim. */
  onWanted: (() => void) | undefined;
  /** Gives it back. Does nothing the second time. */
  release(): Promise<void>;
}

export interface Claims {
  /** Makes the claim of an upload whose row `insert` writes in this moment. */
  create(id: string, insert: (claim: string, claimMs: number) => Promise<void>): Promise<Claim>;
  /**
   * Takes the claim. A holder that does nothing any more, such as one whose client was cut off, gives it up when it is
   * asked; one that has died is waited for until its claim ends.
   * @throws upload_locked when the holder is at work /
   */
  take(id: string): Promise<Claim>;
  /** Waits until every claim is given back. */
  settled(): Promise<void>;
}

export interface ClaimsOptions {
  database: Database;
  /**
   * How long the claim of a process that died lasts. Default 30 s: several beats, and a database that is away for a
   * moment.
   */
  claimMs?: number;
}

const CLAIM_MS = 30_000;
const HEARTBEAT_MS = 2_000;
/** The holder stops by its own clock when this share of the claim is over, so that no other has begun by then. */
const SAFE_SHARE = 0.8;
const POLL_MS = 100;
/** Grace period for the present holder to notice that another request waits. */
const TAKEOVER_TIMEOUT_MS = 6_000;

export function createClaims({ database, claimMs = CLAIM_MS }: ClaimsOptions): Claims {
  const uploads = uploadRepository(database.db, database.dialect);
  const held = new Set<Promise<void>>();
  let orphansReleased: Promise<void> | undefined;

  /**
   * On SQLite one process serves: claims left by earlier processes are stale. Once, before the first claim of this
   * one.
   */
  function releaseOrphans(): Promise<void> {
    if (database.dialect !== 'sqlite') return Promise.resolve();
    orphansReleased ??= uploads.releaseAll().catch((error: unknown) => {
      orphansReleased = undefined;
      throw error;
    });
    return orphansReleased;
  }

  /** @param askedAt before the database's answer */
  function keep(id: string, claim: string, askedAt: number): Claim {
    const heartbeat = startHeartbeat({
      ttlMs: claimMs,
      askedAt,
      safeShare: SAFE_SHARE,
      lost: locked,
      intervalMs: Math.min(HEARTBEAT_MS, claimMs / 5),
      async renew() {
        const answer = await uploads.beat({ id, claim }, claimMs);
        if (answer?.wanted) it.onWanted?.();
        return answer !== undefined;
      },
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    let released: Promise<void> | undefined;
    held.add(promise);
    const it: Claim = {
      id,
      claim,
      signal: heartbeat.signal,
      onWanted: undefined,
      release: () =>
        (released ??= (async () => {
          heartbeat.stop();
          try {
            await uploads.release({ id, claim });
          } finally {
            held.delete(promise);
            resolve();
          }
        })()),
    };
    return it;
  }

  return {
    async create(id, insert) {
      await releaseOrphans();
      const claim = randomUUID();
      const askedAt = performance.now();
      await insert(claim, claimMs);
      return keep(id, claim, askedAt);
    },
    async take(id) {
      await releaseOrphans();
      const claim = randomUUID();
      let firstSeen: string | undefined;
      for (const startedAt = performance.now(); ;) {
        const askedAt = performance.now();
        if (await uploads.claim({ id, claim }, claimMs)) return keep(id, claim, askedAt);
        const claimedUntil = await uploads.askForClaim(id);
        if (claimedUntil === undefined && !(await uploads.find(id)))
          throw new UploadNotFoundError('The upload was ended meanwhile: start a new one.');
        firstSeen ??= claimedUntil;
        const waitedMs = performance.now() - startedAt;
        const holderBeats = claimedUntil !== undefined && claimedUntil !== firstSeen;
        if (holderBeats ? waitedMs > TAKEOVER_TIMEOUT_MS : waitedMs > claimMs + TAKEOVER_TIMEOUT_MS) throw locked();
        await sleep(POLL_MS);
      }
    },
    settled: async () => {
      await Promise.all(held);
    },
  };
}

/** Works under a claim, which is given back before the client is answered: its next request may have it at once. */
export async function withClaim<T>(claim: Claim, work: (claim: Claim) => Promise<T>): Promise<T> {
  try {
    return await work(claim);
  } finally {
    await claim.release();
  }
}

function locked(): Error {
  return new UploadLockedError(
    'Another request sends bytes of this upload, or publishes it: wait for it, or try again in a moment.',
    { headers: { 'retry-after': '2' } },
  );
}
