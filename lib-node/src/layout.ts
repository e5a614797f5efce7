// Names and places in the cache: `<cacheDir>/<encoded id>/<architecture>/<digest prefix>` and `<cacheDir>/<file
// name>`. Whatever is neither an unpacked directory nor a file begins with a dot, which no name of theirs does.

import { createHash, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { digestPrefix } from './digest.ts';

/** Of one part of a path, on common file systems. */
const MAX_NAME_BYTES = 255;
/** Longer encoded ids would not fit into a file name with a hash at their end. */
const MAX_PLAIN_NAME = 200;
/** Stands for "noarch only"; an architecture never begins with an underscore. */
const NOARCH_ONLY = '_noarch';

/** Holds what belongs to files, each in a directory of its own: the lock, the state, the partial download. */
const FILES = '.files';

const STAGING = '.staging-';
const TRASH = '.trash-';
const PART = /^\..+\.part$/;
const FRESH_LOCK = '.lock.';

/** The part of the cache that belongs to one artefact and one architecture asked for, or to one file. */
export interface CacheSlot {
  directory: string;
  stateFile: string;
  lockDirectory: string;
}

/**
 * Places a slot.
 *
 * @param architecture as the caller asked for it, `''` included
 * @param runtime what its directories are built for, if they are: `x64+abi137-linux-x64-glibc` is apart from `x64`
 */
export function placeSlot(cacheDir: string, artefactId: string, architecture: string, runtime?: string): CacheSlot {
  const name = architecture === '' ? NOARCH_ONLY : architecture;
  return describeSlot(
    join(resolve(cacheDir), encodeId(artefactId), runtime === undefined ? name : `${name}+${runtime}`),
  );
}

/** Places a file, at exactly `<cacheDir>/<fileName>`, and what belongs to it. */
export function placeFile(cacheDir: string, fileName: string): { path: string; slot: CacheSlot } {
  return {
    path: join(resolve(cacheDir), fileName),
    slot: describeSlot(join(resolve(cacheDir), FILES, encodeId(fileName))),
  };
}

/**
 * Tells whether a name stays inside the cache, apart from what is not a file: `tiles/europe.pmtiles`, no part of it
 * with a dot in front.
 */
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

/** Tells whether a name in a slot is that of an unpacked directory. */
export function isEntryName(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/**
 * Names what has been downloaded so far. Without a digest it cannot be told which bytes it holds, so it is never
 * resumed.
 */
export function partName(digest: string | undefined): string {
  return digest === undefined ? '.unknown.part' : `.${digestPrefix(digest)}.part`;
}

/**
 * Names a directory to unpack into, and one to move to what is removed: what is half done never has a name that
 * counts.
 */
export function stagingName(): string {
  return STAGING + randomBytes(8).toString('hex');
}
export function trashName(): string {
  return TRASH + randomBytes(8).toString('hex');
}

/** Tells whether a name in a slot is what a process that died may have left behind. */
export function isLeftover(name: string): boolean {
  return name.startsWith(STAGING) || name.startsWith(TRASH) || name.startsWith(FRESH_LOCK) || PART.test(name);
}

function describeSlot(directory: string): CacheSlot {
  return { directory, stateFile: join(directory, '.state.json'), lockDirectory: join(directory, '.lock') };
}

/** Encodes a dot in front as well. */
function encodeId(id: string): string {
  const encoded = encodeURIComponent(id).replace(/^\./, '%2E');
  if (encoded.length <= MAX_PLAIN_NAME) return encoded;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 32);
  return `${encoded.slice(0, MAX_PLAIN_NAME - hash.length)}~${hash}`;
}
