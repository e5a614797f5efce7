// What can be done with a resumable upload, by the one request that has its claim: more bytes, publishing, its end.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { enforce, identityOf, policy, type Actor } from '../access/index.ts';
import type { Ingest, Publishing, Target, UploadFields } from '../artefacts/index.ts';
import { BlobMissingError } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { BerthError } from '../errors.ts';
import { UploadTooLargeError } from '../http/index.ts';
import { createClaims, type Claim } from './claims.ts';
import { UploadGoneError, UploadLockedError } from './errors.ts';
import { createLiveIngests } from './live-ingests.ts';
import { uploadRepository } from './repository.ts';
import { EXPIRY_MS, type TusUpload } from './upload.ts';

export interface TusUploadServiceOptions {
  database: Database;
  publishing: Publishing;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
  /** See ClaimsOptions. */
  claimMs?: number;
}

/** Hands over a body, chunk by chunk; rejects when the client leaves and, with its reason, when the signal says so. */
export type ReadBody = (write: (chunk: Uint8Array) => Promise<void>, signal: AbortSignal) => Promise<void>;

export type TusUploadService = ReturnType<typeof createTusUploadService>;

/** 192 random bits: the URL alone lets nobody in, but it cannot be guessed either. */
const ID_BYTES = 24;
/** A client that sends nothing for this long, while another request waits, has been cut off. */
const IDLE_MS = 1_000;
const EXPIRED_BATCH = 100;
/**
 * One that reads back a large upload, or waits for a storage that is away, must not hold up the stop: its claim ends
 * by itself.
 */
const STOP_TIMEOUT_MS = 5_000;

export function createTusUploadService({ database, publishing, onError, claimMs }: TusUploadServiceOptions) {
  const live = createLiveIngests();
  const claims = createClaims({ database, ...(claimMs !== undefined && { claimMs }) });
  const rows = uploadRepository(database.db, database.dialect);
  const keptUntil = () => new Date(Date.now() + EXPIRY_MS);

  /** Goes on with what this process knows of the bytes, or else with what is stored, which finishing reads back. */
  async function openIngest(upload: TusUpload, claim: Claim): Promise<Ingest> {
    const kept = live.take(upload.id);
    try {
      await kept?.reopen();
      if (kept) return kept;
    } catch (error) {
      kept?.forget();
      if (!(error instanceof BlobMissingError)) throw error;
    }
    try {
      return await publishing.resume(upload.target.format, upload.storageKey);
    } catch (error) {
      if (!(error instanceof BlobMissingError)) throw error;
      await rows.remove(claim);
      throw new UploadGoneError('The registry has lost the bytes of this upload: start a new one.', { cause: error });
    }
  }

  /** Lets go of the storage and notes how far the upload has come. */
  async function pause(ingest: Ingest, claim: Claim): Promise<void> {
    await ingest.suspend(keptUntil());
    // Once another may write, what was hashed here need not be what is stored.
    if (await rows.putReceived(claim, ingest.sizeBytes)) live.keep(claim.id, ingest);
    else ingest.forget();
  }

  async function pauseQuietly(ingest: Ingest, claim: Claim): Promise<void> {
    await pause(ingest, claim).catch((error: unknown) => {
      ingest.forget();
      onError(error);
    });
  }

  /**
   * Ends an upload that is refused for what it is; after any other failure, such as a storage that is away, it can be
   * continued.
   */
  async function endOrKeep(error: unknown, ingest: Ingest, claim: Claim): Promise<void> {
    if (isRefusal(error)) {
      await ingest.abort().catch(onError);
      await rows.remove(claim).catch(onError);
    } else {
      // What was hashed and scanned may be ahead of what was stored.
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
            throw takenOver();
        },
      );
      upload.result = { document, digest };
      upload.receivedBytes = upload.sizeBytes;
    } catch (error) {
      await endOrKeep(error, ingest, claim);
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

    claim: (id: string): Promise<Claim> => claims.take(id),

    nextId: (): string => randomBytes(ID_BYTES).toString('base64url'),

    /** Makes an upload, claimed by the caller of this function. @throws as Publishing.authorize and Publishing.open */
    async create(
      actor: Actor,
      { id, target, fields, sizeBytes }: { id: string; target: Target; fields: UploadFields; sizeBytes: number },
    ): Promise<Claim> {
      await publishing.authorize(actor, target, fields);
      const ingest = await publishing.open(target.format);
      try {
        await ingest.suspend(keptUntil());
        const createdBy = identityOf(actor.caller) ?? '';
        const claim = await claims.create(id, (name, ms) =>
          rows.insert({ id, storageKey: ingest.storageKey, target, fields, sizeBytes, createdBy }, name, ms),
        );
        live.keep(id, ingest);
        return claim;
      } catch (error) {
        await ingest.abort().catch(onError);
        throw error;
      }
    },

    /**
     * Tells how far a claimed upload has come. One that is complete, whose process died before it could publish it, is
     * published now.
     * @throws upload_gone; of the complete one as `append` /
     */
    async look(actor: Actor, claim: Claim): Promise<TusUpload> {
      const upload = await rows.find(claim.id);
      if (!upload || upload.isExpired) throw gone();
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
     * Takes more bytes and, with the last one, publishes the artefact. What has come is kept when the client leaves.
     *
     * @throws upload_aborted, upload_locked, upload_too_large, storage_full, storage_unavailable: the upload can be
     *   continued. All other problems, such as those of tarballs and scopes: nothing of it is left /
     */
    async append(actor: Actor, upload: TusUpload, claim: Claim, readBody: ReadBody): Promise<void> {
      if (upload.result) return;
      const ingest = await openIngest(upload, claim);
      const idle = new AbortController();
      let lastByteAt = performance.now();
      let failed = false;
      claim.onWanted = () => {
        if (performance.now() - lastByteAt > IDLE_MS) idle.abort(takenOver());
      };
      try {
        if (!(await rows.beginReceiving(claim))) throw takenOver();
        await readBody(
          async (chunk) => {
            lastByteAt = performance.now();
            claim.signal.throwIfAborted();
            if (ingest.sizeBytes + chunk.length > upload.sizeBytes) throw tooMuch(upload.sizeBytes);
            await ingest.write(chunk).catch((error: unknown) => {
              failed = true;
              throw error;
            });
          },
          AbortSignal.any([claim.signal, idle.signal]),
        );
      } catch (error) {
        await (failed ? endOrKeep(error, ingest, claim) : pauseQuietly(ingest, claim));
        throw error;
      } finally {
        claim.onWanted = undefined;
      }
      if (ingest.sizeBytes === upload.sizeBytes) return publish(actor, upload, ingest, claim);
      await pause(ingest, claim);
      upload.receivedBytes = ingest.sizeBytes;
    },

    /** Removes a claimed upload with its bytes; of a published one only the memory that it was one. */
    async remove(claim: Claim): Promise<void> {
      live.take(claim.id)?.forget();
      const upload = await rows.find(claim.id);
      if (!upload || !(await rows.remove(claim))) return;
      if (!upload.result) await publishing.discard(upload.storageKey);
    },

    /** Removes uploads that have expired, and returns how many. */
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

    /** Waits for a moment for requests that still put away their bytes, and lets go of all memory. */
    async close(): Promise<void> {
      const stopped = new AbortController();
      await Promise.race([
        claims.settled(),
        sleep(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined),
      ]);
      stopped.abort();
      live.close();
    },
  };
}

/** Whether the same bytes would be refused again. */
function isRefusal(error: unknown): boolean {
  return error instanceof BerthError && error.status < 500 && !(error instanceof UploadLockedError);
}

function takenOver(): Error {
  return new UploadLockedError('Another request has taken over this upload: ask it where it stands.');
}

function gone(): Error {
  return new UploadGoneError('The upload has expired, or was ended: start a new one.');
}

function tooMuch(sizeBytes: number): Error {
  return new UploadTooLargeError(`The request has more bytes than the ${sizeBytes} that Upload-Length announced.`);
}
