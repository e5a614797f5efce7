// What has been downloaded so far, in a file that outlives the process.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const READ_BYTES = 1024 * 1024;

export interface PartFile {
  /** Reads what an earlier attempt has left. */
  read: () => AsyncIterable<Uint8Array>;
  append: (chunk: Uint8Array) => Promise<void>;
  clear: () => Promise<void>;
  close: () => Promise<void>;
}

/** Opens a partial file, new or from before. */
export async function openPartFile(path: string): Promise<PartFile> {
  const file = await open(path, 'a+');
  return {
    read: () => createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>,
    append: (chunk) => file.appendFile(chunk),
    clear: () => file.truncate(0),
    close: () => file.close(),
  };
}
