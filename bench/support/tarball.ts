// Builds npm tarballs of a given size: small ones in memory, large ones streamed to a file.

import { createWriteStream, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { Header } from 'tar/header';
import { MIB } from './memory.ts';

const BLOCK_BYTES = 512;
/** Fastest compression; it does not change the cost of inflating. */
const LEVEL = 1;

export interface Entry {
  path: string;
  content: Uint8Array;
}

/** Builds a tarball with a manifest and one file of the given content. */
export function npmTarball(name: string, version: string, content: Uint8Array, license = 'MIT'): Buffer {
  return gzipSync(Buffer.concat([...blocks([manifest(name, version, license), { path: 'data.bin', content }])]), {
    level: LEVEL,
  });
}

/** Writes a tarball with a manifest and entries, up to about `maxBytes`, and returns its path. */
export async function writeTarball(
  path: string,
  name: string,
  entries: Iterable<Entry>,
  maxBytes = Infinity,
): Promise<string> {
  const file = createWriteStream(path);
  function* fitting(): Generator<Entry> {
    yield manifest(name, '1.0.0');
    for (const entry of entries) {
      if (file.bytesWritten >= maxBytes) return;
      yield entry;
    }
  }
  await pipeline(Readable.from(blocks(fitting())), createGzip({ level: LEVEL }), file);
  return path;
}

/** Incompressible files of 1 MiB. */
export function* incompressible(count: number): Generator<Entry> {
  for (let index = 0; index < count; index++) yield { path: `data-${index}.bin`, content: randomBytes(MIB) };
}

/**
 * An endless sequence of 1 MiB files, like those of a large plug-in: a third JavaScript, a third machine code, a third
 * incompressible data.
 */
export function* mixed(): Generator<Entry> {
  const [script, program] = [sampleScript(), readFileSync(process.execPath)];
  for (let index = 0; ; index++) {
    yield { path: `dist/script-${index}.js`, content: slice(script, index) };
    yield { path: `build/program-${index}.node`, content: slice(program, index) };
    yield { path: `data/tiles-${index}.bin`, content: randomBytes(MIB) };
  }
}

/** Scripts of up to 8 KB in packages of 40 files, like those of `node_modules`. */
export function* scripts(count: number): Generator<Entry> {
  const script = sampleScript();
  for (let index = 0; index < count; index++) {
    const start = (index * 997) % (script.length - 8192);
    yield {
      path: `node_modules/dependency-${Math.floor(index / 40)}/lib/script-${index % 40}.js`,
      content: script.subarray(start, start + 200 + ((index * 331) % 8000)),
    };
  }
}

/** 9 MB of hand-written JavaScript. */
function sampleScript(): Buffer {
  return readFileSync(fileURLToPath(new URL('../../node_modules/@typescript/old/lib/typescript.js', import.meta.url)));
}

function slice(bytes: Buffer, index: number): Uint8Array {
  const start = (index * MIB) % (bytes.length - MIB);
  return bytes.subarray(start, start + MIB);
}

function manifest(name: string, version: string, license = 'MIT'): Entry {
  return { path: 'package.json', content: Buffer.from(JSON.stringify({ name, version, license })) };
}

function* blocks(entries: Iterable<Entry>): Generator<Uint8Array> {
  for (const { path, content } of entries) {
    const header = new Header({
      path: `package/${path}`,
      size: content.length,
      mode: 0o644,
      mtime: new Date(0),
      type: 'File',
    });
    header.encode();
    if (!header.block) throw new Error('an encoded header has a block');
    yield header.block;
    if (content.length > 0) yield content;
    yield Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
  }
  yield Buffer.alloc(2 * BLOCK_BYTES);
}
