// A partial download in a file that survives the process.

import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';

const READ_BYTES = 1024 * 1024;
/** Backpressure limit of bytes queued for the disk, which one system call then writes. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

export interface PartFile {
  /** Where it is now. */
  path: () => string;
  /** Moves it, also while bytes are being written. */
  move: (path: string) => Promise<void>;
  /** Reads the bytes of an earlier attempt. */
  read: () => AsyncIterable<Uint8Array>;
  /**
   * Queues bytes, with backpressure.
   * @throws Error of this or an earlier write
   */
  append: (chunk: Uint8Array) => Promise<void>;
  /** Waits until everything is written. @throws Error of a write */
  flush: () => Promise<void>;
  clear: () => Promise<void>;
  close: () => Promise<void>;
}

/** Opens a partial file, new or existing. */
export async function openPartFile(initialPath: string): Promise<PartFile> {
  let path = initialPath;
  const file = await open(path, 'a+');
  let queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let writing: Promise<void> | undefined;
  let failure: unknown;

  async function writeQueue(): Promise<void> {
    try {
      while (queue.length > 0) {
        const [chunks, bytes] = [queue, queuedBytes];
        [queue, queuedBytes] = [[], 0];
        const { bytesWritten } = await file.writev(chunks);
        if (bytesWritten < bytes) await file.appendFile(Buffer.concat(chunks).subarray(bytesWritten));
      }
    } catch (error) {
      failure = error;
    } finally {
      writing = undefined;
    }
  }

  async function flush(): Promise<void> {
    await writing;
    if (failure !== undefined) throw failure as Error;
  }

  return {
    path: () => path,
    move: async (target) => {
      if (target !== path) await rename(path, target);
      path = target;
    },
    read: () => createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>,
    append: async (chunk) => {
      queue.push(chunk);
      queuedBytes += chunk.length;
      writing ??= writeQueue();
      if (queuedBytes > MAX_QUEUED_BYTES || failure !== undefined) await flush();
    },
    flush,
    clear: async () => {
      await flush();
      await file.truncate(0);
    },
    close: async () => {
      await writing;
      await file.close();
    },
  };
}
