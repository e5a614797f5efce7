// Claims: a single writer per upload, across all processes. A claim is a lease in the upload's row; a heartbeat renews
// it, and it expires when its holder dies.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withCleanUp } from '../errors.ts';
import { UploadNotFoundError } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import { startHeartbeat } from '../jobs/index.ts';
import { UploadLockedError } from './errors.ts';
import { uploadRepository } from './repository.ts';

export interface Claim {
  readonly id: string;
  /** The claim's token, stored in the row for as long as the claim is valid. */
  readonly claim: string;
  /** Aborted with upload_locked once another request may hold the claim: write nothing from then on. */
  readonly signal: AbortSignal;
  /** Called about every two seconds while another request waits for the claim. */
  onTakeoverRequest: (() => void) | undefined;
  /** Releases the claim; idempotent. */
  release(): Promise<void>;
}

export interface Claims {
  /** Creates the claim of a new upload, whose row `insert` writes. */
  create(id: string, insert: (claim: string, claimMs: number) => Promise<void>): Promise<Claim>;
  /**
   * Acquires the claim. An idle holder, such as one whose client was disconnected, releases it on request; the claim
   * of a dead holder is waited for until it expires.
   * @throws upload_locked when the holder is active; upload_not_found
   */
  acquire(id: string): Promise<Claim>;
  /** Waits until every claim is released. */
  allReleased(): Promise<void>;
}

export interface ClaimsOptions {
  database: Database;
  /** Time until the claim of a dead process expires. Default 30 s: several heartbeats and a short database outage. */
  claimMs?: number;
}

const CLAIM_MS = 30_000;
const HEARTBEAT_MS = 2_000;
/**
 * The holder stops after this fraction of the claim, by its own clock, so that no other writer has started by then.
 */
const SAFETY_FRACTION = 0.8;
const POLL_MS = 100;
/** Grace period for the current holder to notice the takeover request. */
const TAKEOVER_TIMEOUT_MS = 6_000;

export function createClaims({ database, claimMs = CLAIM_MS }: ClaimsOptions): Claims {
  const uploads = uploadRepository(database.db, database.dialect);
  const heldClaims = new Set<Promise<void>>();
  let orphansReleased: Promise<void> | undefined;

  /**
   * Releases claims left by earlier processes. On SQLite only one process serves, so they are all stale. Runs once,
   * before the first claim of this process.
   */
  function releaseOrphans(): Promise<void> {
    if (database.dialect !== 'sqlite') return Promise.resolve();
    orphansReleased ??= uploads.releaseAll().catch((error: unknown) => {
      orphansReleased = undefined;
      throw error;
    });
    return orphansReleased;
  }

  /** Starts the heartbeat of a claim. @param askedAt when the claim was requested, before the database's response */
  function hold(id: string, claim: string, askedAt: number): Claim {
    const heartbeat = startHeartbeat({
      ttlMs: claimMs,
      askedAt,
      safetyFraction: SAFETY_FRACTION,
      lost: locked,
      intervalMs: Math.min(HEARTBEAT_MS, claimMs / 5),
      async renew() {
        const renewed = await uploads.renewClaim({ id, claim }, claimMs);
        if (renewed?.takeoverRequested) held.onTakeoverRequest?.();
        return renewed !== undefined;
      },
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    let released: Promise<void> | undefined;
    heldClaims.add(promise);
    const held: Claim = {
      id,
      claim,
      signal: heartbeat.signal,
      onTakeoverRequest: undefined,
      release: () =>
        (released ??= (async () => {
          heartbeat.stop();
          try {
            await uploads.release({ id, claim });
          } finally {
            heldClaims.delete(promise);
            resolve();
          }
        })()),
    };
    return held;
  }

  return {
    async create(id, insert) {
      await releaseOrphans();
      const claim = randomUUID();
      const askedAt = performance.now();
      await insert(claim, claimMs);
      return hold(id, claim, askedAt);
    },
    async acquire(id) {
      await releaseOrphans();
      const claim = randomUUID();
      let firstClaimedUntil: string | undefined;
      for (const startedAt = performance.now(); ;) {
        const askedAt = performance.now();
        if (await uploads.claim({ id, claim }, claimMs)) return hold(id, claim, askedAt);
        const claimedUntil = await uploads.requestTakeover(id);
        if (claimedUntil === undefined && !(await uploads.find(id)))
          throw new UploadNotFoundError('The upload was ended in the meantime. Start a new one.');
        firstClaimedUntil ??= claimedUntil;
        const waitedMs = performance.now() - startedAt;
        const isRenewed = claimedUntil !== undefined && claimedUntil !== firstClaimedUntil;
        if (isRenewed ? waitedMs > TAKEOVER_TIMEOUT_MS : waitedMs > claimMs + TAKEOVER_TIMEOUT_MS) throw locked();
        await sleep(POLL_MS);
      }
    },
    allReleased: async () => {
      await Promise.all(heldClaims);
    },
  };
}

/** Runs work under a claim and releases it before the response is sent, so that the next request gets it at once. */
export async function withClaim<T>(claim: Claim, work: (claim: Claim) => Promise<T>): Promise<T> {
  return withCleanUp(
    () => work(claim),
    () => claim.release(),
  );
}

function locked(): Error {
  return new UploadLockedError(
    'Another request is sending bytes of this upload, or publishing it. Wait for it, or try again in a moment.',
    { headers: { 'retry-after': '2' } },
  );
}
