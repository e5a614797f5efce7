// Unpacks tarballs in a thread of their own, so that the caller's event loop goes on. The thread is unpack-worker.ts.

import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ArchiveError } from './errors.ts';

/** Bytes that may wait for the thread; what waits when it asks for more goes there in one message. */
const MAX_WAITING_BYTES = 1024 * 1024;

export type UnpackMessage =
  | { type: 'consumed'; bytes: number }
  | { type: 'done' }
  | { type: 'failed'; code: string | undefined; message: string };

export interface Unpacking {
  /**
   * Hands on bytes of the tarball and waits while too many are on the way. Does nothing after a failure: `finish`
   * tells it.
   */
  write: (chunk: Uint8Array) => Promise<void>;
  /** Waits until everything is on disk. @throws ArchiveError, or what the file system said (`ENOSPC`, …) */
  finish: () => Promise<void>;
  /** Stops the thread; what it has written stays. */
  abort: () => Promise<void>;
}

/**
 * Starts to unpack a gzipped tarball into `directory`, which exists and is empty.
 *
 * @param onConsumed told how many bytes of the tarball have been unpacked
 */
export function startUnpacking(directory: string, onConsumed: (bytes: number) => void = () => undefined): Unpacking {
  const worker = new Worker(new URL('./unpack-worker.js', import.meta.url), {
    workerData: directory,
    stdin: true,
    execArgv: [],
  });
  const input = worker.stdin;
  if (input === null) throw new Error('a worker with stdin has none');
  let ended = false;
  const outcome = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: UnpackMessage) => {
      if (message.type === 'consumed') onConsumed(message.bytes);
      else if (message.type === 'done') resolve();
      else reject(revive(message));
    });
    worker.on('error', reject);
    worker.on('exit', () => {
      reject(new Error('the thread that unpacks has ended before its time'));
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
      if (ended || input.write(chunk) || input.writableLength < MAX_WAITING_BYTES) return;
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
 * Unpacks a gzipped npm tarball into `directory`, which is made when it is missing and should be empty. The leading
 * `package/` is dropped, file modes and links that stay inside are kept, owners are not set.
 *
 * @throws ArchiveError when the tarball is damaged, or holds what would land or point outside; what was written before
 *   stays /
 */
export async function extractTarball(stream: AsyncIterable<Uint8Array>, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const unpacking = startUnpacking(directory);
  try {
    for await (const chunk of stream) await unpacking.write(chunk);
    await unpacking.finish();
  } finally {
    await unpacking.abort();
  }
}

function revive({ code, message }: { code: string | undefined; message: string }): Error {
  if (code === 'archive_damaged' || code === 'archive_unsafe') return new ArchiveError(code, message);
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
