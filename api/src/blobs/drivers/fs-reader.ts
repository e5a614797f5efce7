// Streams the bytes of an open file, or sends them from memory that is used again and again.

import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { READ_CHUNK_BYTES, type ByteRange } from '../blob-store.ts';
import type { BufferPool } from './fs-buffer-pool.ts';
import { blobMissing } from '../errors.ts';
import { toStorageError } from './fs-errors.ts';

/**
 * Streams a range of a file and closes the handle at the end, or as soon as the stream is destroyed. A file that ends
 * before the range does destroys the stream with `blob_missing`, a failing disk with `storage_unavailable`. /
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
 * Hands a range of a file to `write`, a chunk at a time, reading ahead by one. The memory of a chunk is used again
 * once its `write` has settled: nothing is allocated on the way, which is what makes this quicker than a stream.
 *
 * @param spares of READ_CHUNK_BYTES; what a failed `write` may still be reading does not go back there
 * @throws blob_missing when the file ends before the range does; storage_unavailable; whatever `write` throws /
 */
export async function sendFileRange(
  handle: FileHandle,
  range: ByteRange,
  write: (chunk: Uint8Array) => Promise<void>,
  spares: BufferPool,
): Promise<void> {
  const sizeBytes = range.end + 1 - range.start;
  const isSmall = sizeBytes < READ_CHUNK_BYTES / 2;
  let reading = isSmall ? Buffer.allocUnsafeSlow(sizeBytes) : spares.take();
  let spare: Uint8Array | undefined;
  let writing: Promise<void> = Promise.resolve();
  for (let position = range.start; position <= range.end;) {
    const wantedBytes = Math.min(reading.length, range.end + 1 - position);
    const [{ bytesRead }] = await Promise.all([readAt(handle, reading, wantedBytes, position), writing]);
    position += bytesRead;
    writing = write(reading.subarray(0, bytesRead));
    // Awaited one turn later: until then a failure must not count as unhandled.
    writing.catch(() => undefined);
    if (position <= range.end)
      [reading, spare] = [spare ?? (isSmall ? Buffer.allocUnsafeSlow(sizeBytes) : spares.take()), reading];
  }
  await writing;
  if (isSmall) return;
  for (const buffer of [reading, spare]) if (buffer) spares.keep(buffer);
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
