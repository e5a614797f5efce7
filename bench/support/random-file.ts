// Files of bytes that cannot be compressed.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { MIB } from './memory.ts';

/** Writes a file and returns its path. */
export async function writeRandomFile(path: string, sizeMib: number): Promise<string> {
  await pipeline(function* () {
    for (let index = 0; index < sizeMib; index++) yield randomBytes(MIB);
  }, createWriteStream(path));
  return path;
}

/**
 * Gives a file another digest by four bytes that make no difference: in gzip they are the time of its content (RFC
 * 1952, 2.3).
 */
export async function stamp(path: string, stampByte: number): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(new Uint8Array([stampByte, 0, 0, 0]), 0, 4, 4);
  await handle.close();
}

/** Reads a file for its digest: `sha256:<hex>`. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return `sha256:${hash.digest('hex')}`;
}
