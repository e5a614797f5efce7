// Makes tarballs byte by byte, including invalid ones that no packer would make.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

/** Type flags of POSIX ustar, pax(1), "ustar Interchange Format", and GNU tar's for long names. */
const TYPE_FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  device: '3',
  directory: '5',
  fifo: '6',
  pax: 'x',
  globalPax: 'g',
  longPath: 'L',
  longLink: 'K',
} as const;

export interface TarEntry {
  path: string;
  type?: keyof typeof TYPE_FLAGS;
  content?: string | Buffer;
  linkpath?: string;
  /** Default 0o644. */
  mode?: number;
}

export interface Tarball {
  bytes: Buffer;
  digest: string;
  /** As reported by the registry. */
  hasNativeModules?: boolean;
}

/** Packs and gzips entries, unchanged. */
export function packTarball(entries: TarEntry[]): Tarball {
  const blocks = entries.map((entry) => {
    const content = Buffer.from(entry.content ?? '');
    return Buffer.concat([tarHeader(entry, content.length), content, Buffer.alloc(-content.length & (BLOCK - 1))]);
  });
  return describeTarball(gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 1 }));
}

/** Packs an npm package: a manifest and files below `package/`. */
export function packPackage(version: string, files: Record<string, string | Buffer> = {}): Tarball {
  const manifest = JSON.stringify({ name: '@acme/sample', version });
  return packTarball(
    Object.entries({ 'package.json': manifest, ...files }).map(([path, content]) => ({
      path: `package/${path}`,
      content,
    })),
  );
}

/** Packs a package of `count` files in nested directories. */
export function packManyFiles(count: number): Tarball {
  const files = Array.from({ length: count }, (_, index): [string, string] => [
    `lib/d${index % 97}/e${index % 7}/f${index}.js`,
    `export default ${index}; // ${'x'.repeat(index % 500)}\n`,
  ]);
  return packPackage('1.0.0', Object.fromEntries(files));
}

/** Makes deterministic content that does not compress, so that the tarball is about as large. */
export function incompressible(sizeBytes: number, seed = 'seed'): Buffer {
  const chunks: Buffer[] = [];
  for (let index = 0; index * 32 < sizeBytes; index += 1)
    chunks.push(createHash('sha256').update(`${seed}${index}`).digest());
  return Buffer.concat(chunks).subarray(0, sizeBytes);
}

export function describeTarball(bytes: Buffer): Tarball {
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

function tarHeader({ path, type = 'file', linkpath = '', mode = 0o644 }: TarEntry, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(path, 0, 100);
  header.write(octal(mode, 8), 100);
  header.write(octal(1234, 8), 108);
  header.write(octal(1234, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write(TYPE_FLAGS[type], 156);
  header.write(linkpath, 157, 100);
  header.write('ustar\x0000', 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}
