// What has been downloaded so far, in a file that outlives the process.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const READ_BYTES = 1024 * 1024;
/** Bytes that may wait for the disk while more arrive; one system call then takes them all. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export interface PartFile {
  /** Reads what an earlier attempt has left. */
  read: () => AsyncIterable<Uint8Array>;
  /**
   * Takes bytes over, and waits only while too many wait for the disk.
   * @throws Error what writing has failed with, now or before
   */
  append: (chunk: Uint8Array) => Promise<void>;
  /** Waits until all is written. @throws Error what writing has failed with */
  flush: () => Promise<void>;
  clear: () => Promise<void>;
  close: () => Promise<void>;
}

/** Opens a partial file, new or from before. */
export async function openPartFile(path: string): Promise<PartFile> {
  const file = await open(path, 'a+');
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let writing: Promise<void> | undefined;
  let failure: unknown;

  async function writeWaiting(): Promise<void> {
    try {
      while (waiting.length > 0) {
        const [chunks, bytes] = [waiting, waitingBytes];
        [waiting, waitingBytes] = [[], 0];
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
    read: () => createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>,
    append: async (chunk) => {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      writing ??= writeWaiting();
      if (waitingBytes > MAX_WAITING_BYTES || failure !== undefined) await flush();
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
