// Unpacks tarballs in a worker thread (unpack-worker.ts), so that they do not block the caller's event loop.

import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ArchiveError } from './errors.ts';
import { checkOptions, unpackRules } from './rules.ts';

/** Backpressure limit: bytes queued for the worker, which receives them in one message when it reads again. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/** Of what one archive may contain. */
export interface UnpackLimits {
  /** Bytes of the inflated archive, headers included; default 4 GiB, as registries accept by default. */
  maxUnpackedBytes?: number | undefined;
  /** Files, directories and links; default 200,000, as registries accept by default. */
  maxEntries?: number | undefined;
}

/** What the worker thread gets. */
export interface UnpackJob {
  directory: string;
  maxUnpackedBytes: number;
  maxEntries: number;
}

/** The defaults of the registry's MAX_UNPACKED_BYTES and MAX_TAR_ENTRIES. */
const MAX_UNPACKED_BYTES = 4 * 1024 ** 3;
const MAX_ENTRIES = 200_000;

export type UnpackMessage =
  | { type: 'consumed'; bytes: number }
  | { type: 'done' }
  | { type: 'failed'; code: string | undefined; message: string };

export interface Unpacking {
  /** Queues bytes of the tarball, with backpressure. Does nothing after a failure, which `finish` reports. */
  write: (chunk: Uint8Array) => Promise<void>;
  /** Waits until everything is unpacked. @throws ArchiveError, or an error of the file system (`ENOSPC`, …) */
  finish: () => Promise<void>;
  /** Stops the worker; files that it has written stay. */
  abort: () => Promise<void>;
}

/**
 * Starts to unpack a gzipped tarball into `directory`, which must exist and be empty.
 *
 * @param onConsumed called with the number of compressed bytes that have been unpacked
 */
export function startUnpacking(
  directory: string,
  { maxUnpackedBytes = MAX_UNPACKED_BYTES, maxEntries = MAX_ENTRIES }: UnpackLimits,
  onConsumed: (bytes: number) => void = () => undefined,
): Unpacking {
  const job: UnpackJob = { directory, maxUnpackedBytes, maxEntries };
  const worker = new Worker(new URL('./unpack-worker.js', import.meta.url), {
    workerData: job,
    stdin: true,
    execArgv: [],
  });
  const input = worker.stdin;
  if (input === null) throw new Error('the worker has no stdin');
  let ended = false;
  const outcome = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: UnpackMessage) => {
      if (message.type === 'consumed') onConsumed(message.bytes);
      else if (message.type === 'done') resolve();
      else reject(revive(message));
    });
    worker.on('error', reject);
    worker.on('exit', () => {
      reject(new Error('the unpacking thread exited unexpectedly'));
    });
  });
  const settled = outcome
    .catch(() => undefined)
    .then(() => {
      ended = true;
    });
  input.on('error', () => undefined);
  return {
    write: async (chunk) => {
      if (ended || input.write(chunk) || input.writableLength < MAX_QUEUED_BYTES) return;
      await Promise.race([once(input, 'drain'), settled]);
    },
    finish: async () => {
      input.end();
      await outcome;
      await worker.terminate();
    },
    abort: async () => {
      await worker.terminate();
    },
  };
}

/**
 * Unpacks a gzipped npm tarball into `directory`, which is created if it is missing and should be empty. Drops the
 * leading `package/`, keeps file modes and links that stay inside, and does not set owners.
 *
 * @throws ArchiveError if the tarball is damaged, contains a path or link that leads outside, or exceeds the limits;
 *   files that were written before stay
 */
export async function extractTarball(
  stream: AsyncIterable<Uint8Array>,
  directory: string,
  limits: UnpackLimits = {},
): Promise<void> {
  checkOptions('extractTarball', limits, unpackRules);
  await mkdir(directory, { recursive: true });
  const unpacking = startUnpacking(directory, limits);
  try {
    for await (const chunk of stream) await unpacking.write(chunk);
    await unpacking.finish();
  } finally {
    await unpacking.abort();
  }
}

function revive({ code, message }: { code: string | undefined; message: string }): Error {
  if (code === 'archive_damaged' || code === 'archive_unsafe' || code === 'archive_too_large')
    return new ArchiveError(code, message);
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
