// Names and places in the cache: `<cacheDir>/<encoded id>/<architecture>/<digest prefix>`.
// Whatever is not an unpacked directory begins with a dot, which no digest prefix does.

import { createHash, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { digestPrefix } from './digest.ts';

/** Longer encoded ids would not fit into a file name (255 bytes on common file systems). */
const MAX_PLAIN_NAME = 200;
/** Stands for "noarch only"; an architecture never begins with an underscore. */
const NOARCH_ONLY = '_noarch';

const STAGING = '.staging-';
const TRASH = '.trash-';
const PART = /^\..+\.part$/;
const FRESH_LOCK = '.lock.';

/** The part of the cache that belongs to one artefact and one architecture asked for. */
export interface CacheSlot {
  directory: string;
  stateFile: string;
  lockDirectory: string;
}

/** Places a slot. `architecture` is as the caller asked for it, `''` included. */
export function placeSlot(cacheDir: string, artefactId: string, architecture: string): CacheSlot {
  const directory = join(resolve(cacheDir), encodeId(artefactId), architecture === '' ? NOARCH_ONLY : architecture);
  return { directory, stateFile: join(directory, '.state.json'), lockDirectory: join(directory, '.lock') };
}

/** Names the unpacked directory of a tarball. */
export function entryName(digest: string): string { return digestPrefix(digest); }

/** Tells whether a name in a slot is that of an unpacked directory. */
export function isEntryName(name: string): boolean { return /^[0-9a-f]{16}$/.test(name); }

/** Names what has been downloaded so far. Without a digest it cannot be told which bytes it holds, so it is never resumed. */
export function partName(digest: string | undefined): string {
  return digest === undefined ? '.unknown.part' : `.${digestPrefix(digest)}.part`;
}

/** Names a directory to unpack into, and one to move to what is removed: what is half done never has a name that counts. */
export function stagingName(): string { return STAGING + randomBytes(8).toString('hex'); }
export function trashName(): string { return TRASH + randomBytes(8).toString('hex'); }

/** Tells whether a name in a slot is what a process that died may have left behind. */
export function isLeftover(name: string): boolean {
  return name.startsWith(STAGING) || name.startsWith(TRASH) || name.startsWith(FRESH_LOCK) || PART.test(name);
}

function encodeId(artefactId: string): string {
  const encoded = encodeURIComponent(artefactId);
  if (encoded.length <= MAX_PLAIN_NAME) return encoded;
  const hash = createHash('sha256').update(artefactId).digest('hex').slice(0, 32);
  return `${encoded.slice(0, MAX_PLAIN_NAME - hash.length)}~${hash}`;
}
