// Limits of resumable uploads that are open: announced, and neither published nor ended nor expired.

import { StorageFullError } from '../blobs/index.ts';
import { TooManyUploadsError } from './errors.ts';
import type { OpenUploads, UploadRepository } from './repository.ts';

export interface NewOpenUpload {
  /** See identityOf in access/. */
  createdBy: string;
  /** See networkOf in attempts/. */
  network: string;
  sizeBytes: number;
}

export interface OpenUploadLimits {
  /**
   * Checks a new upload. To be called in the transaction that inserts it, after `lockOpenUploads`, so that concurrent
   * ones count.
   * @throws too_many_uploads, storage_full
   */
  assertRoom(
    rows: Pick<UploadRepository, 'countOpen'>,
    upload: NewOpenUpload,
    freeBytes: number | undefined,
  ): Promise<void>;
}

/** A pipeline publishes a few artefacts at a time; what it abandons expires after a day. */
const MAX_OF_KEY = 20;
const MAX_OF_USER = 50;
/** Of all callers behind one address, internal services among them. */
const MAX_OF_NETWORK = 100;
/** Kept free on the disk for everything else. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** @param receivedBytes how many bytes of an upload that is being received are stored; undefined if not known here */
export function createOpenUploadLimits(receivedBytes: (id: string) => number | undefined): OpenUploadLimits {
  /** Bytes that open uploads have announced and not sent yet. */
  function outstandingBytes({ pausedBytes, receiving }: OpenUploads): number {
    return receiving.reduce(
      (sum, { id, sizeBytes }) => sum + Math.max(0, sizeBytes - (receivedBytes(id) ?? 0)),
      pausedBytes,
    );
  }

  return {
    async assertRoom(rows, { createdBy, network, sizeBytes }, freeBytes) {
      const open = await rows.countOpen(createdBy, network);
      const [max, whose] = createdBy.startsWith('user:') ? [MAX_OF_USER, 'You have'] : [MAX_OF_KEY, 'This key has'];
      if (createdBy !== 'internal' && open.ofCreator >= max) throw tooMany(whose, open.ofCreator);
      if (open.ofNetwork >= MAX_OF_NETWORK) throw tooMany('This address has', open.ofNetwork);
      const outstanding = outstandingBytes(open);
      if (freeBytes !== undefined && outstanding + sizeBytes + SPARE_BYTES > freeBytes)
        throw new StorageFullError(
          `The upload announces ${sizeBytes} bytes, and other open uploads ${outstanding} more, but only ` +
            `${freeBytes} are free on the disk: try again when they are done, or ask the operator to free up space.`,
        );
    },
  };
}

function tooMany(whose: string, count: number): Error {
  return new TooManyUploadsError(
    `${whose} ${count} open resumable uploads: complete some, or cancel them with DELETE. Others expire a day after ` +
      'their last byte.',
  );
}
