// Streams the bytes of an open file.

import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { READ_CHUNK_BYTES, type ByteRange } from '../blob-store.ts';
import { blobMissing, toStorageError } from './fs-errors.ts';

/**
 * Streams a range of a file and closes the handle at the end, or as soon as the stream is destroyed.
 * A file that ends before the range does destroys the stream with `blob_missing`, a failing disk with `storage_unavailable`.
 */
export function readFileRange(handle: FileHandle, range: ByteRange): Readable {
  let position = range.start;
  return new Readable({
    highWaterMark: READ_CHUNK_BYTES,
    read() {
      const wantedBytes = Math.min(READ_CHUNK_BYTES, range.end + 1 - position);
      if (wantedBytes === 0) { this.push(null); return; }
      handle.read(Buffer.allocUnsafeSlow(wantedBytes), 0, wantedBytes, position).then(({ bytesRead, buffer }) => {
        if (bytesRead === 0) { this.destroy(blobMissing()); return; }
        position += bytesRead;
        this.push(buffer.subarray(0, bytesRead));
      }).catch((error: unknown) => { this.destroy(toStorageError(error) as Error); });
    },
    destroy(error, done) {
      handle.close().then(() => { done(error); }, (closeError: unknown) => { done(error ?? toStorageError(closeError) as Error); });
    },
  });
}
