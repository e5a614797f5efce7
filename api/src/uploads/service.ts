// Resumable upload service: creates, continues, publishes and removes uploads. Writes require the upload's claim.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { changeAs, enforce, identityOf, policy, type Actor, type Caller } from '../access/index.ts';
import { networkOf } from '../attempts/index.ts';
import type { Ingest, Publishing, Target, UploadFields } from '../artefacts/index.ts';
import { BlobMissingError } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { createClaims, type Claim } from './claims.ts';
import { UploadGoneError } from './errors.ts';
import { createLiveIngests } from './live-ingests.ts';
import { createOpenUploadLimits } from './open-uploads.ts';
import { goneError, isRejection, takenOverError, tooLargeError } from './refusals.ts';
import { uploadRepository } from './repository.ts';
import { EXPIRY_MS, type TusUpload } from './upload.ts';

export interface TusUploadServiceOptions {
  database: Database;
  publishing: Publishing;
  /** Free space of the storage in bytes; undefined if it does not report it. */
  freeBytes: () => Promise<number | undefined>;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
  /** Time until the claim of a dead process expires; default see `ClaimsOptions`. */
  claimMs?: number;
}

/** Passes a request body to `write` chunk by chunk. Rejects when the client disconnects or the signal aborts. */
export type ReadBody = (write: (chunk: Uint8Array) => Promise<void>, signal: AbortSignal) => Promise<void>;

export type TusUploadService = ReturnType<typeof createTusUploadService>;

/** 192 random bits: the URL alone grants no access, but it must not be guessable either. */
const ID_BYTES = 24;
/** A client that is idle for this long while another request waits is considered disconnected. */
const IDLE_MS = 1_000;
const EXPIRED_BATCH = 100;
/**
 * A request that reads back a large upload, or waits for an unavailable storage, must not delay shutdown: its claim
 * expires by itself.
 */
const STOP_TIMEOUT_MS = 5_000;

export function createTusUploadService({
  database,
  publishing,
  freeBytes,
  onError,
  claimMs,
}: TusUploadServiceOptions) {
  const live = createLiveIngests();
  /** Uploads that requests of this process are sending bytes of. */
  const receiving = new Map<string, Pick<Ingest, 'sizeBytes'>>();
  const limits = createOpenUploadLimits((id) => receiving.get(id)?.sizeBytes);
  const claims = createClaims({ database, ...(claimMs !== undefined && { claimMs }) });
  const rows = uploadRepository(database.db, database.dialect);
  const keptUntil = () => new Date(Date.now() + EXPIRY_MS);

  /**
   * Continues with the cached ingest of this process, or resumes from the storage, where finishing reads bytes back.
   */
  async function openIngest(upload: TusUpload, claim: Claim): Promise<Ingest> {
    const cached = live.take(upload.id);
    try {
      await cached?.reopen();
      if (cached) return cached;
    } catch (error) {
      cached?.forget();
      if (!(error instanceof BlobMissingError)) throw error;
    }
    try {
      return await publishing.resume(upload.target.format, upload.storageKey);
    } catch (error) {
      if (!(error instanceof BlobMissingError)) throw error;
      await rows.remove(claim);
      throw new UploadGoneError('The bytes of this upload were lost. Start a new one.', { cause: error });
    }
  }

  /** Suspends the ingest and records the offset of the upload. */
  async function pause(ingest: Ingest, claim: Claim): Promise<void> {
    await ingest.suspend(keptUntil());
    // Once another request may write, the bytes hashed here may differ from those stored.
    if (await rows.putReceived(claim, ingest.sizeBytes)) live.keep(claim.id, ingest);
    else ingest.forget();
  }

  async function pauseReportingErrors(ingest: Ingest, claim: Claim): Promise<void> {
    await pause(ingest, claim).catch((error: unknown) => {
      ingest.forget();
      onError(error);
    });
  }

  /**
   * Discards an upload whose content was rejected. After any other failure, such as an unavailable storage, the upload
   * is suspended and can be continued.
   */
  async function discardOrSuspend(error: unknown, ingest: Ingest, claim: Claim): Promise<void> {
    if (isRejection(error)) {
      await ingest.abort().catch(onError);
      await rows.remove(claim).catch(onError);
    } else {
      // The hash and the scanner may be ahead of the stored bytes.
      await ingest.suspend(keptUntil()).catch(onError);
      ingest.forget();
    }
  }

  async function publish(actor: Actor, upload: TusUpload, ingest: Ingest, claim: Claim): Promise<void> {
    try {
      const ingested = await ingest.finish();
      const { digest } = ingested.blob;
      const document = await publishing.commit(
        actor,
        upload.target,
        { fields: upload.fields, ...ingested },
        async (tx, rendered) => {
          if (!(await uploadRepository(tx, database.dialect).publish(claim, { document: rendered, digest })))
            throw takenOverError();
        },
      );
      upload.result = { document, digest };
      upload.receivedBytes = upload.sizeBytes;
    } catch (error) {
      await discardOrSuspend(error, ingest, claim);
      throw error;
    }
  }

  return {
    /** Finds an upload of the caller. @throws as policy.continueUpload */
    async find({ caller }: Actor, id: string): Promise<TusUpload> {
      const upload = await rows.find(id);
      enforce(policy.continueUpload(caller, upload && { id: upload.target.id, createdBy: upload.createdBy }));
      return upload!;
    },

    /** Acquires the claim of an upload. @throws upload_locked, upload_not_found */
    claim: (id: string): Promise<Claim> => claims.acquire(id),

    newId: (): string => randomBytes(ID_BYTES).toString('base64url'),

    /** Creates an upload, and returns its claim. @throws too_many_uploads; as Publishing.authorize and `open` */
    async create(
      actor: Actor,
      { id, target, fields, sizeBytes }: { id: string; target: Target; fields: UploadFields; sizeBytes: number },
    ): Promise<Claim> {
      await publishing.authorize(actor, target, fields);
      const wanted = { createdBy: identityOf(actor.caller) ?? '', network: networkOf(actor.ip), sizeBytes };
      const free = await freeBytes();
      await limits.assertRoom(rows, wanted, free);
      const ingest = await publishing.open(target.format);
      try {
        await ingest.suspend(keptUntil());
        const mayUpload = (caller: Caller) => policy.startUpload(caller, target.id);
        const upload = { id, storageKey: ingest.storageKey, target, fields, ...wanted };
        const claim = await claims.create(id, (token, ms) =>
          changeAs(database, actor, mayUpload, async (tx) => {
            const uploads = uploadRepository(tx, database.dialect);
            await uploads.lockOpenUploads();
            await limits.assertRoom(uploads, wanted, free);
            await uploads.insert(upload, token, ms);
          }),
        );
        live.keep(id, ingest);
        return claim;
      } catch (error) {
        await ingest.abort().catch(onError);
        throw error;
      }
    },

    /**
     * Determines the offset of a claimed upload. If all bytes are stored but the process died before publishing them,
     * the upload is published now.
     * @throws upload_gone; when it publishes, as `append`
     */
    async inspect(actor: Actor, claim: Claim): Promise<TusUpload> {
      const upload = await rows.find(claim.id);
      if (!upload || upload.isExpired) throw goneError();
      if (upload.result || (upload.receivedBytes !== undefined && upload.receivedBytes < upload.sizeBytes))
        return upload;
      const ingest = await openIngest(upload, claim);
      if (ingest.sizeBytes >= upload.sizeBytes) {
        await publish(actor, upload, ingest, claim);
      } else {
        await pause(ingest, claim);
        upload.receivedBytes = ingest.sizeBytes;
      }
      return upload;
    },

    /**
     * Appends bytes and publishes the artefact after the last one. If the client disconnects, the received bytes are
     * kept.
     *
     * @throws upload_aborted, upload_locked, upload_too_large, storage_full, storage_unavailable, session_ended,
     *   api_key_revoked: the upload can be continued, if need be with a new session or the rotated key. After any
     *   other problem, such as one of the tarball or the key's scope, the upload is discarded
     */
    async append(actor: Actor, upload: TusUpload, claim: Claim, readBody: ReadBody): Promise<void> {
      if (upload.result) return;
      const ingest = await openIngest(upload, claim);
      const idle = new AbortController();
      let lastByteAt = performance.now();
      let writeFailed = false;
      claim.onTakeoverRequest = () => {
        if (performance.now() - lastByteAt > IDLE_MS) idle.abort(takenOverError());
      };
      try {
        receiving.set(upload.id, ingest);
        if (!(await rows.beginReceiving(claim))) throw takenOverError();
        await readBody(
          async (chunk) => {
            lastByteAt = performance.now();
            claim.signal.throwIfAborted();
            if (ingest.sizeBytes + chunk.length > upload.sizeBytes) throw tooLargeError(upload.sizeBytes);
            await ingest.write(chunk).catch((error: unknown) => {
              writeFailed = true;
              throw error;
            });
          },
          AbortSignal.any([claim.signal, idle.signal]),
        );
      } catch (error) {
        await (writeFailed ? discardOrSuspend(error, ingest, claim) : pauseReportingErrors(ingest, claim));
        throw error;
      } finally {
        claim.onTakeoverRequest = undefined;
        receiving.delete(upload.id);
      }
      if (ingest.sizeBytes === upload.sizeBytes) return publish(actor, upload, ingest, claim);
      await pause(ingest, claim);
      upload.receivedBytes = ingest.sizeBytes;
    },

    /**
     * Deletes a claimed upload of the caller with its bytes. For a published one, only the upload's record is deleted.
     * @throws as policy.continueUpload
     */
    async remove(actor: Actor, claim: Claim): Promise<void> {
      const upload = await rows.find(claim.id);
      const mayRemove = (caller: Caller) =>
        policy.continueUpload(caller, upload && { id: upload.target.id, createdBy: upload.createdBy });
      const isRemoved = await changeAs(database, actor, mayRemove, (tx) =>
        uploadRepository(tx, database.dialect).remove(claim),
      );
      live.take(claim.id)?.forget();
      if (upload && isRemoved && !upload.result) await publishing.discard(upload.storageKey);
    },

    /** Deletes an upload whose creation failed, and whose URL nobody knows. Does not throw. */
    async abandon({ id, claim }: Claim): Promise<void> {
      live.take(id)?.forget();
      try {
        const upload = await rows.find(id);
        if (upload && (await rows.remove({ id, claim }))) await publishing.discard(upload.storageKey);
      } catch (error) {
        onError(error);
      }
    },

    /** Deletes expired uploads and returns how many. */
    async expire(): Promise<number> {
      let count = 0;
      for (
        let keys = await rows.removeExpired(EXPIRED_BATCH);
        keys.length > 0;
        keys = await rows.removeExpired(EXPIRED_BATCH)
      ) {
        count += keys.length;
        for (const key of keys) await publishing.discard(key);
      }
      return count;
    },

    /** Waits up to STOP_TIMEOUT_MS until running requests have stored their bytes, and clears the cache. */
    async close(): Promise<void> {
      const stopped = new AbortController();
      await Promise.race([
        claims.allReleased(),
        sleep(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined),
      ]);
      stopped.abort();
      live.close();
    },
  };
}
