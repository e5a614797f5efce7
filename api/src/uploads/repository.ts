import { sql } from 'kysely';
import { databaseTime, type DialectName, type Executor, type ResumableUploadsTable, type Tx } from '../db/index.ts';
import type { Format, UploadFields } from '../artefacts/index.ts';
import { EXPIRY_MS, type TusUpload, type UploadResult } from './upload.ts';

/** Identifies an upload and the claim under which a request may write it. */
export interface ClaimId {
  id: string;
  claim: string;
}

export type NewUpload = Pick<TusUpload, 'id' | 'storageKey' | 'target' | 'fields' | 'sizeBytes' | 'createdBy'> & {
  /** Network of the client, see networkOf in attempts/. */
  network: string;
};

export interface OpenUploads {
  ofCreator: number;
  ofNetwork: number;
  /** Bytes that paused uploads have announced and not sent yet. */
  pausedBytes: number;
  /** Uploads that a request may be sending bytes of, with their announced sizes. */
  receiving: { id: string; sizeBytes: number }[];
}

/** Any number that nothing else locks. */
const CREATION_LOCK = 7_301_511;

export type UploadRepository = ReturnType<typeof uploadRepository>;

export function uploadRepository(executor: Executor | Tx, dialect: DialectName) {
  const now = databaseTime(dialect);
  const expiry = databaseTime(dialect, EXPIRY_MS);
  const claimed = ({ id, claim }: ClaimId) =>
    executor.updateTable('resumable_uploads').where('id', '=', id).where('claim', '=', claim);

  const open = () =>
    executor.selectFrom('resumable_uploads').where('document', 'is', null).where('expires_at', '>', now);

  return {
    /** Number of uploads that are not complete. */
    async countIncomplete(): Promise<number> {
      const { count } = await open()
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return count;
    },

    /** Lets the transactions that create uploads count and insert one after another; SQLite runs them so anyway. */
    async lockOpenUploads(): Promise<void> {
      if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${CREATION_LOCK})`.execute(executor);
    },

    async countOpen(createdBy: string, network: string): Promise<OpenUploads> {
      const counts = await open()
        .select([
          sql<number>`count(case when created_by = ${createdBy} then 1 end)`.as('ofCreator'),
          sql<number>`count(case when network = ${network} then 1 end)`.as('ofNetwork'),
          sql<number | null>`sum(case when received is not null then size - received end)`.as('pausedBytes'),
        ])
        .executeTakeFirstOrThrow();
      const receiving = await open().select(['id', 'size as sizeBytes']).where('received', 'is', null).execute();
      return { ...counts, pausedBytes: Number(counts.pausedBytes ?? 0), receiving };
    },

    /** Inserts an empty upload, claimed by the request that creates it. */
    async insert(
      { id, storageKey, target, fields, sizeBytes, createdBy, network }: NewUpload,
      claim: string,
      claimMs: number,
    ): Promise<void> {
      await executor
        .insertInto('resumable_uploads')
        .values({
          id,
          storage_key: storageKey,
          artefact_id: target.id,
          format: target.format,
          fields: JSON.stringify(fields),
          size: sizeBytes,
          received: 0,
          created_by: createdBy,
          network,
          created_at: now,
          expires_at: expiry,
          claim,
          claimed_until: databaseTime(dialect, claimMs),
          claim_wanted: 0,
          document: null,
          digest: null,
        })
        .execute();
    },

    async find(id: string): Promise<TusUpload | undefined> {
      const row = await executor
        .selectFrom('resumable_uploads')
        .selectAll()
        .select((eb) => eb('expires_at', '<=', now).as('expired'))
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toUpload(row, Boolean(row.expired));
    },

    /** Acquires the claim if it is free or expired; returns whether it was acquired. */
    async claim({ id, claim }: ClaimId, claimMs: number): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('resumable_uploads')
        .set({ claim, claimed_until: databaseTime(dialect, claimMs), claim_wanted: 0 })
        .where('id', '=', id)
        .where((eb) => eb.or([eb('claim', 'is', null), eb('claimed_until', '<=', now)]))
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Asks the holder to release the claim; returns when the claim expires, or undefined if it is free. */
    async requestTakeover(id: string): Promise<string | undefined> {
      const row = await executor
        .updateTable('resumable_uploads')
        .set({ claim_wanted: 1 })
        .where('id', '=', id)
        .where('claim', 'is not', null)
        .returning('claimed_until')
        .executeTakeFirst();
      return row?.claimed_until ?? undefined;
    },

    /** Renews the claim and returns whether another request waits for it; undefined when the claim is lost. */
    async renewClaim(id: ClaimId, claimMs: number): Promise<{ takeoverRequested: boolean } | undefined> {
      const row = await claimed(id)
        .set({ claimed_until: databaseTime(dialect, claimMs) })
        .returning('claim_wanted')
        .executeTakeFirst();
      return row && { takeoverRequested: row.claim_wanted === 1 };
    },

    async release(id: ClaimId): Promise<void> {
      await claimed(id).set({ claim: null, claimed_until: null }).execute();
    },

    /** Releases all claims, whoever holds them. */
    async releaseAll(): Promise<void> {
      await executor
        .updateTable('resumable_uploads')
        .set({ claim: null, claimed_until: null })
        .where('claim', 'is not', null)
        .execute();
    },

    /**
     * Records that bytes are arriving, so that the offset is unknown until they stop; false when the claim is lost.
     */
    async beginReceiving(id: ClaimId): Promise<boolean> {
      const { numUpdatedRows } = await claimed(id).set({ received: null, expires_at: expiry }).executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Records the number of bytes stored; false when the claim is lost. */
    async putReceived(id: ClaimId, receivedBytes: number): Promise<boolean> {
      const { numUpdatedRows } = await claimed(id)
        .set({ received: receivedBytes, expires_at: expiry })
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Stores the result of the upload; false when the claim is lost. */
    async publish(id: ClaimId, { document, digest }: UploadResult): Promise<boolean> {
      const { numUpdatedRows } = await claimed(id)
        .set((eb) => ({ received: eb.ref('size'), expires_at: expiry, document, digest }))
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Deletes the upload; false when the claim is lost. */
    async remove(id: ClaimId): Promise<boolean> {
      const { numDeletedRows } = await executor
        .deleteFrom('resumable_uploads')
        .where('id', '=', id.id)
        .where('claim', '=', id.claim)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },

    /** Deletes up to `limit` rows of expired, unclaimed uploads and returns their storage keys. */
    async removeExpired(limit: number): Promise<string[]> {
      const unclaimed = executor
        .selectFrom('resumable_uploads')
        .select('id')
        .where('expires_at', '<=', now)
        .where((eb) => eb.or([eb('claim', 'is', null), eb('claimed_until', '<=', now)]))
        .limit(limit);
      const rows = await executor
        .deleteFrom('resumable_uploads')
        .where('id', 'in', unclaimed)
        .where((eb) => eb.or([eb('claim', 'is', null), eb('claimed_until', '<=', now)]))
        .returning('storage_key')
        .execute();
      return rows.map((row) => row.storage_key);
    },
  };
}

function toUpload(row: ResumableUploadsTable, isExpired: boolean): TusUpload {
  return {
    id: row.id,
    storageKey: row.storage_key,
    target: { id: row.artefact_id, format: row.format as Format },
    fields: JSON.parse(row.fields) as UploadFields,
    sizeBytes: row.size,
    receivedBytes: row.received ?? undefined,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    isExpired,
    result: row.document === null || row.digest === null ? undefined : { document: row.document, digest: row.digest },
  };
}
