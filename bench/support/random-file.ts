// Files of incompressible bytes.

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
 * Changes the digest of a file by overwriting four bytes that do not matter: in gzip they are the modification time
 * (RFC 1952, 2.3).
 */
export async function stamp(path: string, stampByte: number): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(new Uint8Array([stampByte, 0, 0, 0]), 0, 4, 4);
  await handle.close();
}

/** Returns the digest of a file: `sha256:<hex>`. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return `sha256:${hash.digest('hex')}`;
}
