// npm tarballs of a wanted size, made in memory.

import { gzipSync } from 'node:zlib';
import { Header } from 'tar/header';

const BLOCK_BYTES = 512;

/** Builds a tarball with a manifest and one file of the given content, hardly compressed. */
export function npmTarball(name: string, version: string, content: Uint8Array): Buffer {
  const manifest = Buffer.from(JSON.stringify({ name, version, license: 'MIT' }));
  return gzipSync(Buffer.concat([...entry('package/package.json', manifest), ...entry('package/data.bin', content), Buffer.alloc(2 * BLOCK_BYTES)]), { level: 1 });
}

function entry(path: string, content: Uint8Array): Uint8Array[] {
  const header = new Header({ path, size: content.length, mode: 0o644, mtime: new Date(0), type: 'File' });
  header.encode();
  if (!header.block) throw new Error('an encoded header has a block');
  return [header.block, content, Buffer.alloc((BLOCK_BYTES - content.length % BLOCK_BYTES) % BLOCK_BYTES)];
}
