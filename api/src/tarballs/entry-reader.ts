// Reads one file from a tarball, at the offset that the file index gives.

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** As in the scanner: larger chunks are hardly faster. */
const INFLATED_CHUNK_BYTES = 64 * 1024;

/**
 * Streams a range of the inflated tar without unpacking it: earlier bytes are inflated and discarded.
 * The stream fails if the tarball is damaged or ends before the range does.
 *
 * @param tarball the gzip tarball; destroyed once the range is read or the stream is destroyed
 * @param range offset of the first byte in the inflated tar, and number of bytes
 * @param onReached called when the bytes before the range are inflated, and when the stream ends
 */
export function readTarballBytes(
  tarball: Readable,
  { offset, sizeBytes }: { offset: number; sizeBytes: number },
  onReached: () => void = () => undefined,
): Readable {
  const end = offset + sizeBytes;
  let position = 0;
  // The callback can come before the last errors of the inflater, which only its `error` events report.
  const inflated = pipeline(tarball, createGunzip({ chunkSize: INFLATED_CHUNK_BYTES }), () => undefined);
  const content = new Readable({
    read() {
      inflated.resume();
    },
    destroy(error, done) {
      onReached();
      inflated.destroy();
      done(error);
    },
  });
  inflated.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(Math.max(0, offset - position), Math.max(0, end - position));
    if (position <= offset && position + chunk.length > offset) onReached();
    position += chunk.length;
    if (part.length > 0 && !content.push(part)) inflated.pause();
    if (position >= end) {
      content.push(null);
      inflated.destroy();
    }
  });
  inflated.on('end', () => {
    content.destroy(new Error('the tarball ends before the file that its index lists'));
  });
  inflated.on('error', (error) => {
    content.destroy(error);
  });
  inflated.pause();
  return content;
}
