// Builds tarballs in memory: ordinary npm ones in one call, malicious ones entry by entry.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Header } from 'tar/header';
import { code, type EntryTypeName } from 'tar/types';

const BLOCK_BYTES = 512;
const NAME_FIELD_BYTES = 100;
/** The time that npm gives every file, so that equal files produce equal tarballs. */
const NPM_MTIME = new Date('1985-10-26T08:15:00Z');
const compress = promisify(gzip);

export interface TarballEntry {
  /** As written into the archive, including `package/`; a name that ends in `/` is a directory. */
  path: string;
  content?: string | Uint8Array;
  /** Default `File`, or `Directory` by the name. */
  type?: EntryTypeName;
  /** The header's type character, for one without a name. */
  typeflag?: string;
  linkpath?: string;
  /** Default 0o644, directories 0o755. */
  mode?: number;
  /** The size in the header, if it should differ from that of the content. */
  size?: number;
  /** Records of an extended header before the entry. Added automatically for names that do not fit the header. */
  pax?: Record<string, string>;
}

export interface TarballOptions {
  /** Whether to end with two zero blocks, as POSIX requires; default true. */
  endBlocks?: boolean;
}

/** Builds an uncompressed tar archive of exactly these entries in this order; deterministic. */
export function buildTar(entries: readonly TarballEntry[], { endBlocks = true }: TarballOptions = {}): Buffer {
  return Buffer.concat([...entries.flatMap(encodeEntry), Buffer.alloc(endBlocks ? 2 * BLOCK_BYTES : 0)]);
}

/** Builds a gzip tar archive of exactly these entries in this order; deterministic. */
export async function buildTarball(entries: readonly TarballEntry[], options?: TarballOptions): Promise<Buffer> {
  return compress(buildTar(entries, options), { level: 1 });
}

export interface NpmTarballOptions {
  /** Default `@acme/plugin`. */
  name?: string;
  /** Default `1.0.0`. */
  version?: string;
  /** Additional fields of `package.json`: `{ license: 'MIT', registry: { category: 'processing' } }`. */
  manifest?: Record<string, unknown>;
  /** Files by their path below `package/`; a value that is neither text nor bytes is written as JSON. */
  files?: Record<string, string | Uint8Array | object>;
}

/** Builds a tarball like `npm pack`: `package/package.json`, then `files`, by default only an `index.js`. */
export async function npmTarball({
  name = '@acme/plugin',
  version = '1.0.0',
  manifest = {},
  files = { 'index.js': 'export {};\n' },
}: NpmTarballOptions = {}): Promise<Buffer> {
  return buildTarball([
    { path: 'package/package.json', content: JSON.stringify({ name, version, ...manifest }, null, 2) },
    ...Object.entries(files).map(([path, content]) => ({
      path: `package/${path}`,
      content: typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    })),
  ]);
}

/** Encodes extended header records (pax): `{ path: 'x' }` becomes `9 path=x\n`; the length includes itself. */
export function encodePaxRecords(records: Record<string, string>): string {
  return Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      const sizeBytes = Buffer.byteLength(rest);
      const digits = String(sizeBytes + String(sizeBytes).length).length;
      return `${sizeBytes + digits}${rest}`;
    })
    .join('');
}

/** Updates the checksum of a header whose bytes a test has changed. */
export function sealHeader(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function encodeEntry(entry: TarballEntry): Buffer[] {
  const {
    path,
    linkpath = '',
    type = path.endsWith('/') ? 'Directory' : 'File',
    typeflag = code.get(type) ?? '0',
  } = entry;
  const content = Buffer.from(entry.content ?? '');
  const header = Buffer.alloc(BLOCK_BYTES);
  new Header({
    mode: entry.mode ?? (type === 'Directory' ? 0o755 : 0o644),
    size: entry.size ?? content.length,
    uid: 0,
    gid: 0,
    mtime: NPM_MTIME,
  }).encode(header);
  header.write(path, 0, NAME_FIELD_BYTES);
  header[156] = typeflag.charCodeAt(0) || 0;
  header.write(linkpath, 157, NAME_FIELD_BYTES);
  const records = { ...(isTooLong(path) && { path }), ...(isTooLong(linkpath) && { linkpath }), ...entry.pax };
  return [
    ...(Object.keys(records).length
      ? encodeEntry({ path: 'PaxHeader', type: 'ExtendedHeader', content: encodePaxRecords(records) })
      : []),
    sealHeader(header),
    content,
    Buffer.alloc(-content.length & (BLOCK_BYTES - 1)),
  ];
}

function isTooLong(name: string): boolean {
  return Buffer.byteLength(name) > NAME_FIELD_BYTES;
}
