// One file out of a tarball, by the place that the file index gives.

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** As in the scanner: larger is hardly faster. */
const INFLATED_CHUNK_BYTES = 64 * 1024;

/**
 * Streams bytes of the inflated tar without unpacking it: what comes before them is inflated and dropped.
 * The stream fails when the tarball breaks, or ends before them.
 *
 * @param tarball the gzip tarball; destroyed as soon as the bytes are out, or the stream is destroyed
 * @param place offset of the first byte in the inflated tar, and how many
 */
export function readTarballBytes(
  tarball: Readable,
  { offset, sizeBytes }: { offset: number; sizeBytes: number },
): Readable {
  const end = offset + sizeBytes;
  let position = 0;
  // Its callback comes before the last failures of the inflater, which are told by events alone.
  const inflated = pipeline(tarball, createGunzip({ chunkSize: INFLATED_CHUNK_BYTES }), () => undefined);
  const content = new Readable({
    read() {
      inflated.resume();
    },
    destroy(error, done) {
      inflated.destroy();
      done(error);
    },
  });
  inflated.on('data', (chunk: Buffer) => {
    const wanted = chunk.subarray(Math.max(0, offset - position), Math.max(0, end - position));
    position += chunk.length;
    if (wanted.length > 0 && !content.push(wanted)) inflated.pause();
    if (position >= end) {
      content.push(null);
      inflated.destroy();
    }
  });
  inflated.on('end', () => {
    content.destroy(new Error('the tarball ends before the file that its index names'));
  });
  inflated.on('error', (error) => {
    content.destroy(error);
  });
  inflated.pause();
  return content;
}
