// One file out of a tarball, by the place that the file index gives.

import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * Yields bytes of the inflated tar without unpacking it: what comes before them is inflated and dropped.
 *
 * @param tarball the gzip tarball; destroyed as soon as the bytes are out, or nobody wants them any more
 * @param place offset of the first byte in the inflated tar, and how many
 */
export async function* readTarballBytes(tarball: Readable, { offset, sizeBytes }: { offset: number; sizeBytes: number }): AsyncGenerator<Buffer> {
  const end = offset + sizeBytes;
  let position = 0;
  // Errors of either stream reach the loop below; the callback only keeps them from being thrown once more.
  const inflated = pipeline(tarball, createGunzip(), () => undefined);
  for await (const chunk of inflated as AsyncIterable<Buffer>) {
    const wanted = chunk.subarray(Math.max(0, offset - position), Math.max(0, end - position));
    position += chunk.length;
    if (wanted.length > 0) yield wanted;
    if (position >= end) return;
  }
  throw new Error('the tarball ends before the file that its index names');
}
