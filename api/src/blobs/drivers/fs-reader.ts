// Reads an open file: as a stream, or passed to a function from reused buffers.

import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { READ_CHUNK_BYTES, type ByteRange } from '../blob-store.ts';
import type { BufferPool } from './fs-buffer-pool.ts';
import { blobMissing } from '../errors.ts';
import { toStorageError } from './fs-errors.ts';

/**
 * Streams a range of a file and closes the handle at the end, or when the stream is destroyed. A file that ends before
 * the range destroys the stream with `blob_missing`, a failing disk with `storage_unavailable`.
 */
export function readFileRange(handle: FileHandle, range: ByteRange): Readable {
  let position = range.start;
  return new Readable({
    highWaterMark: READ_CHUNK_BYTES,
    read() {
      const wantedBytes = Math.min(READ_CHUNK_BYTES, range.end + 1 - position);
      if (wantedBytes === 0) {
        this.push(null);
        return;
      }
      handle
        .read(Buffer.allocUnsafeSlow(wantedBytes), 0, wantedBytes, position)
        .then(({ bytesRead, buffer }) => {
          if (bytesRead === 0) {
            this.destroy(blobMissing());
            return;
          }
          position += bytesRead;
          this.push(buffer.subarray(0, bytesRead));
        })
        .catch((error: unknown) => {
          this.destroy(toStorageError(error) as Error);
        });
    },
    destroy(error, done) {
      handle.close().then(
        () => {
          done(error);
        },
        (closeError: unknown) => {
          done(error ?? (toStorageError(closeError) as Error));
        },
      );
    },
  });
}

/**
 * Passes a range of a file to `write`, one chunk at a time, reading one chunk ahead. A chunk's memory is reused once
 * its `write` has settled, so that nothing is allocated per chunk; this makes it faster than a stream.
 *
 * @param pool buffers of READ_CHUNK_BYTES; one that a failed `write` may still be reading is not returned to it
 * @throws blob_missing when the file ends before the range; storage_unavailable; whatever `write` throws
 */
export async function sendFileRange(
  handle: FileHandle,
  range: ByteRange,
  write: (chunk: Uint8Array) => Promise<void>,
  pool: BufferPool,
): Promise<void> {
  const sizeBytes = range.end + 1 - range.start;
  const isSmall = sizeBytes < READ_CHUNK_BYTES / 2;
  let reading = isSmall ? Buffer.allocUnsafeSlow(sizeBytes) : pool.acquire();
  let spare: Uint8Array | undefined;
  let writing: Promise<void> = Promise.resolve();
  for (let position = range.start; position <= range.end;) {
    const wantedBytes = Math.min(reading.length, range.end + 1 - position);
    const [{ bytesRead }] = await Promise.all([readAt(handle, reading, wantedBytes, position), writing]);
    position += bytesRead;
    writing = write(reading.subarray(0, bytesRead));
    // Awaited in the next iteration; until then a rejection must not count as unhandled.
    writing.catch(() => undefined);
    if (position <= range.end)
      [reading, spare] = [spare ?? (isSmall ? Buffer.allocUnsafeSlow(sizeBytes) : pool.acquire()), reading];
  }
  await writing;
  if (isSmall) return;
  for (const buffer of [reading, spare]) if (buffer) pool.release(buffer);
}

async function readAt(
  handle: FileHandle,
  buffer: Uint8Array,
  length: number,
  position: number,
): Promise<{ bytesRead: number }> {
  const result = await handle.read(buffer, 0, length, position).catch((error: unknown) => {
    throw toStorageError(error);
  });
  if (result.bytesRead === 0) throw blobMissing();
  return result;
}
