// Worker thread that unpacks one gzipped tarball: stdin is the tarball, workerData an UnpackJob. zlib inflates on the
// thread pool meanwhile. unpack.ts starts it and reads its messages.

import { parentPort, workerData } from 'node:worker_threads';
import { createGunzip } from 'node:zlib';
import { ArchiveError } from './errors.ts';
import { createTarReader, TarError } from './tar/index.ts';
import { createTreeWriter } from './tree-writer.ts';
import type { UnpackJob, UnpackMessage } from './unpack.ts';

/** Bytes inflated per chunk, and those inflated ahead while a chunk is written. */
const INFLATE = { chunkSize: 1024 * 1024, readableHighWaterMark: 4 * 1024 * 1024 };
/** Compressed bytes between two progress messages, each of which wakes the main thread. */
const REPORT_BYTES = 1024 * 1024;

const { directory, maxUnpackedBytes, maxEntries } = workerData as UnpackJob;
const writer = createTreeWriter(directory);
let entries = 0;
const reader = createTarReader((entry) => {
  entries += 1;
  if (entries > maxEntries) throw tooLarge(`has more than ${maxEntries} entries (maxEntries)`);
  return writer.add(entry);
});
let inflatedBytes = 0;
const gunzip = createGunzip(INFLATE);
let reportedBytes = 0;

try {
  // Not stream.pipeline: on Node 20 it may report a damaged tarball as "aborted".
  for await (const piece of process.stdin.pipe(gunzip) as AsyncIterable<Buffer>) {
    inflatedBytes += piece.length;
    if (inflatedBytes > maxUnpackedBytes)
      throw tooLarge(`unpacks to more than ${maxUnpackedBytes} bytes (maxUnpackedBytes)`);
    reader.push(piece);
    if (gunzip.bytesWritten - reportedBytes >= REPORT_BYTES) report();
  }
  report();
  reader.end();
  writer.finish();
  post({ type: 'done' });
} catch (error) {
  post({ type: 'failed', ...describe(error) });
}

function tooLarge(reason: string): ArchiveError {
  return new ArchiveError('archive_too_large', `the archive ${reason}`);
}

function report(): void {
  reportedBytes = gunzip.bytesWritten;
  post({ type: 'consumed', bytes: reportedBytes });
}

function post(message: UnpackMessage): void {
  parentPort?.postMessage(message);
}

/** Serialises an error: its class and fields do not survive structured cloning. */
function describe(error: unknown): { code: string | undefined; message: string } {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof TarError && code === 'unsupported') return { code: 'archive_unsafe', message };
  if (error instanceof TarError || code?.startsWith('Z_')) {
    return { code: 'archive_damaged', message: `the archive is damaged: ${message}` };
  }
  return { code, message };
}
