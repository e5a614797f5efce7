// Names and paths in the cache: `<cacheDir>/<encoded id>/<architecture>/<digest prefix>` and `<cacheDir>/<file name>`.
// Everything else starts with a dot, which no unpacked directory and no file does.

import { createHash, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { digestPrefix, parseDigest } from './digest.ts';

/** Limit of one part of a path on common file systems. */
const MAX_NAME_BYTES = 255;
/** Longer encoded ids are cut and end with a hash, to fit into a file name. */
const MAX_PLAIN_NAME = 200;
/** Stands for "noarch only"; an architecture never starts with an underscore. */
const NOARCH_ONLY = '_noarch';

/** Directory of the lock, state and partial download of each file. */
const FILES = '.files';

const STAGING = '.staging-';
const TRASH = '.trash-';
const PART = /^\..+\.part$/;
const FRESH_LOCK = '.lock.';

/** The part of the cache that belongs to one artefact and one requested architecture, or to one file. */
export interface CacheSlot {
  directory: string;
  stateFile: string;
  lockDirectory: string;
}

/**
 * Locates a slot.
 *
 * @param architecture as requested by the caller; `''` for `noarch` only
 * @param runtime runtime that its directories are built for, if any: `x64+abi137-linux-x64-glibc` differs from `x64`
 */
export function locateSlot(cacheDir: string, artefactId: string, architecture: string, runtime?: string): CacheSlot {
  const name = architecture === '' ? NOARCH_ONLY : architecture;
  return describeSlot(
    join(resolve(cacheDir), encodeId(artefactId), runtime === undefined ? name : `${name}+${runtime}`),
  );
}

/** Locates a file, at exactly `<cacheDir>/<fileName>`, and its slot. */
export function locateFile(cacheDir: string, fileName: string): { path: string; slot: CacheSlot } {
  return {
    path: join(resolve(cacheDir), fileName),
    slot: describeSlot(join(resolve(cacheDir), FILES, encodeId(fileName))),
  };
}

/** Tells whether a name is a valid path inside the cache, like `tiles/europe.pmtiles`: no part starts with a dot. */
export function isFileName(name: string): boolean {
  return (
    !/[\\\p{Cc}]/u.test(name) &&
    name.split('/').every((part) => part !== '' && !part.startsWith('.') && Buffer.byteLength(part) <= MAX_NAME_BYTES)
  );
}

/** Names the unpacked directory of a tarball. */
export function entryName(digest: string): string {
  return digestPrefix(digest);
}

/** Tells whether a name in a slot is an unpacked directory. */
export function isEntryName(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/** Names a partial download. Without a digest, its bytes cannot be identified, so it is never resumed. */
export function partName(digest: string | undefined): string {
  return digest === undefined ? '.unknown.part' : `.${digestPrefix(digest)}.part`;
}

/** Names the partial download of a file. Only its name tells whose bytes it has, so it is the whole digest. */
export function filePartName(digest: string | undefined): string {
  return digest === undefined ? partName(digest) : `.${digest.replace(':', '-')}.part`;
}

/** Returns the digest in a name that `filePartName` made of one. */
export function parseFilePart(name: string): string | undefined {
  return parseDigest(/^\.(sha256-.+)\.part$/.exec(name)?.[1]?.replace('-', ':'));
}

/** Names a directory to unpack into, until it is complete. */
export function stagingName(): string {
  return STAGING + randomBytes(8).toString('hex');
}

/** Names a directory while it is being removed. */
export function trashName(): string {
  return TRASH + randomBytes(8).toString('hex');
}

/** Tells whether a name in a slot may be left over from a process that died. */
export function isLeftover(name: string): boolean {
  return name.startsWith(STAGING) || name.startsWith(TRASH) || name.startsWith(FRESH_LOCK) || PART.test(name);
}

function describeSlot(directory: string): CacheSlot {
  return { directory, stateFile: join(directory, '.state.json'), lockDirectory: join(directory, '.lock') };
}

/** Encodes an id as a file name, including a leading dot. */
function encodeId(id: string): string {
  const encoded = encodeURIComponent(id).replace(/^\./, '%2E');
  if (encoded.length <= MAX_PLAIN_NAME) return encoded;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 32);
  return `${encoded.slice(0, MAX_PLAIN_NAME - hash.length)}~${hash}`;
}
