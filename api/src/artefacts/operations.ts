// Rules for ids, conflicts, slots, categories, dates and search, as pure functions.

import { canSee, type Caller } from '../access/index.ts';
import { hexOf } from '../digests/index.ts';
import { quote, type BerthError } from '../errors.ts';
import { INVISIBLE } from '../tarballs/index.ts';
import {
  ArchitectureInvalidError,
  ArtefactIdInvalidError,
  ArtefactIdTakenError,
  CategoryInvalidError,
  FileNameInvalidError,
  FormatConflictError,
  MirroredConflictError,
  NotATarballError,
  PackageNameConflictError,
  SlotNotFoundError,
} from './errors.ts';
import { FILE_SLOT, NOARCH, type Artefact, type Format, type LocalisedText, type Slot } from './artefact.ts';

const MAX_ID_LENGTH = 256;
/**
 * Taken by routes beside `/artefacts/:id`, today or soon. An artefact that got such an id when it was free keeps it:
 * it is read, edited and deleted like any other, but takes no uploads.
 */
export const RESERVED_IDS: ReadonlySet<string> = new Set(['npm', 'file', 'groups', 'scan-summary', 'facets']);
const ARCHITECTURE = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** The limit of common file systems. */
const MAX_FILE_NAME_BYTES = 255;
/** Categories of executable artefacts: a plain file cannot be run. */
const NPM_ONLY_CATEGORIES = new Set(['processing', 'catalog', 'application']);
const PATH_DIGEST_LENGTH = 16;
const MIN_TRIGRAM_LENGTH = 3;
/** Of each language: the beginning says what an artefact is, and the index grows with all of it. */
const SEARCHED_DESCRIPTION_LENGTH = 4000;
/** An id with one of these looks like another id: an invisible character, or white space at an end. */
const UNSEEN_IN_IDS = new RegExp(`${INVISIBLE.source}|^\\s|\\s$`, 'u');
/** Slashes, control characters, and those that reorder text, with which a name seems to end in another extension. */
const UNSAFE_IN_FILE_NAMES = /[\p{Cc}\u202a-\u202e\u2066-\u2069/\\]/u;

/** Rejects ids that are reserved, too long, unsafe as a path, or look like another id. @throws artefact_id_invalid */
export function assertArtefactId(id: string): void {
  if (RESERVED_IDS.has(id))
    throw new ArtefactIdInvalidError(`The id ${id} is reserved: choose another one, such as @acme/import-gpkg@1.`);
  const [invisible] = UNSEEN_IN_IDS.exec(id) ?? [];
  if (invisible !== undefined)
    throw new ArtefactIdInvalidError(
      `The id contains ${codePointName(invisible)} in a place where it cannot be seen: remove that character.`,
    );
  const segments = id.split('/');
  const unsafe = id.length > MAX_ID_LENGTH || id.includes('\\') || !id.isWellFormed();
  if (unsafe || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw new ArtefactIdInvalidError(
      `The id ${quote(id)} is not valid: it must have 1 to ${MAX_ID_LENGTH} characters, no backslash, and no empty, ` +
        '"." or ".." part between slashes.',
    );
  }
}

/** @throws architecture_invalid */
export function assertArchitecture(architecture: string): void {
  if (!ARCHITECTURE.test(architecture))
    throw new ArchitectureInvalidError(
      `The architecture ${quote(architecture)} is not valid: it must be 1 to 64 characters of a-z, 0-9, ".", "_" ` +
        'and "-", and begin with a letter or digit, such as x64, arm64 or noarch.',
    );
}

/** @throws category_invalid */
export function assertCategory(category: string, format: Format, categories: readonly string[]): void {
  const allowed = format === 'npm' ? categories : categories.filter((name) => !NPM_ONLY_CATEGORIES.has(name));
  if (!allowed.includes(category))
    throw new CategoryInvalidError(
      `The category ${quote(category)} is not one of ${format === 'npm' ? 'npm' : 'file'} artefacts: use one of ` +
        `${allowed.join(', ')}.`,
    );
}

/** @throws file_name_invalid */
export function assertFileName(fileName: string): void {
  const unsafe =
    UNSAFE_IN_FILE_NAMES.test(fileName) || fileName === '.' || fileName === '..' || !fileName.isWellFormed();
  if (fileName === '' || unsafe || Buffer.byteLength(fileName) > MAX_FILE_NAME_BYTES) {
    throw new FileNameInvalidError(
      `The file name ${quote(fileName)} is not valid: it must have 1 to ${MAX_FILE_NAME_BYTES} bytes, and no slash, ` +
        'backslash, control character or character that reorders text: set the field "fileName".',
    );
  }
}

/**
 * Returns the wire path of bytes in a slot: relative, unique, and safe for older registries, which write and delete
 * files by it.
 */
export function npmPath(id: string, architecture: string, digest: string): string {
  return `npm/${id}/${architecture}-${shortDigest(digest)}.tgz`;
}

/** Like npmPath, for the file of a file artefact. */
export function filePath(id: string, fileName: string, digest: string): string {
  return `files/${id}/${shortDigest(digest)}-${fileName.replaceAll('/', '-')}`;
}

/** Chooses the slot for an architecture: its own, else `noarch`; undefined if there is neither. */
export function slotFor(slots: readonly Slot[], architecture: string | undefined): Slot | undefined {
  return (
    slots.find((slot) => slot.architecture === architecture) ?? slots.find((slot) => slot.architecture === NOARCH)
  );
}

/** Chooses the slot for `/download`, whose clients do not know slots: also falls back to the slot uploaded last. */
export function slotForDownload(slots: readonly Slot[], architecture: string | undefined): Slot | undefined {
  return slots.find((slot) => slot.architecture === FILE_SLOT) ?? slotFor(slots, architecture) ?? lastUploaded(slots);
}

/** Returns the slot uploaded last; the upload dates of an artefact are all different. */
export function lastUploaded(slots: readonly Slot[]): Slot | undefined {
  return slots.reduce<Slot | undefined>(
    (last, slot) => (last && last.uploadedAt >= slot.uploadedAt ? last : slot),
    undefined,
  );
}

/** Returns the dates of an upload or slot removal: equal, and later than all before, in whole seconds too. */
export function nextDataDates(
  previous: Artefact | undefined,
  now: Date,
): Pick<Artefact, 'updatedAt' | 'dataUpdatedAt' | 'lastModifiedSeconds'> {
  const date = monotonicDate(now, previous?.updatedAt, previous?.dataUpdatedAt);
  const seconds = Math.floor(Date.parse(date) / 1000);
  return {
    updatedAt: date,
    dataUpdatedAt: date,
    lastModifiedSeconds: Math.max(seconds, (previous?.lastModifiedSeconds ?? 0) + 1),
  };
}

/** Returns now, or one millisecond after the latest of the earlier dates, as ISO 8601 UTC. */
export function monotonicDate(now: Date, ...earlier: (string | undefined)[]): string {
  const latest = earlier.reduce(
    (latestMs, date) => Math.max(latestMs, date ? Date.parse(date) + 1 : 0),
    now.getTime(),
  );
  return new Date(latest).toISOString();
}

/** Folds text for searching: lower case, no accents, ligatures expanded, no NUL, which databases reject. */
export function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('œ', 'oe')
    .replaceAll('æ', 'ae')
    .replaceAll('ß', 'ss')
    .replaceAll('\0', '');
}

/**
 * Returns the indexed text of an artefact: folded, with two spaces before each word, so that trigrams mark where words
 * begin.
 */
export function searchText(artefact: Artefact): string {
  const { id, packageName, title, description, packageDescription, keywords = [] } = artefact;
  const descriptions = localised(description).map((text) =>
    text?.slice(0, SEARCHED_DESCRIPTION_LENGTH).toWellFormed(),
  );
  const texts = [id, packageName, ...localised(title), ...descriptions, packageDescription, ...keywords];
  return spaceWords(fold(texts.filter((text) => text !== undefined).join('\n')));
}

/**
 * Splits a query into patterns, all of which must occur in the search text, in any order: words of three or more
 * characters anywhere, shorter ones at the beginning of a word.
 */
export function searchPatterns(q: string): string[] {
  const words = fold(q)
    .split(/\s+/)
    .filter((word) => word !== '');
  return [
    ...new Set(
      words.map((word) => {
        const spaced = spaceWords(word);
        return word.length < MIN_TRIGRAM_LENGTH ? spaced.slice(-MIN_TRIGRAM_LENGTH) : spaced.trimStart();
      }),
    ),
  ];
}

function spaceWords(text: string): string {
  return text.replace(/(?<![\p{L}\p{N}])(?=[\p{L}\p{N}])/gu, '  ');
}

function localised(text: LocalisedText | undefined): (string | undefined)[] {
  return [text?.fr, text?.en];
}

function shortDigest(digest: string): string {
  return hexOf(digest).slice(0, PATH_DIGEST_LENGTH);
}

/** Chooses the slot that a download route serves. @throws not_a_tarball, slot_not_found */
export function chooseSlot(
  { format, slots }: { format: Format; slots: readonly Slot[] },
  { kind, architecture }: { kind: 'tarball' | 'download'; architecture: string | undefined },
): Slot {
  if (architecture !== undefined) assertArchitecture(architecture);
  if (kind === 'tarball' && format !== 'npm')
    throw new NotATarballError('This artefact is a file: get it from /download.');
  const slot = kind === 'tarball' ? slotFor(slots, architecture) : slotForDownload(slots, architecture);
  if (!slot)
    throw new SlotNotFoundError(
      `There is no tarball for ${architecture ?? 'noarch'}: the slots of this artefact ` +
        `are ${slots.map((other) => other.architecture).join(', ') || 'none'}.`,
    );
  return slot;
}

/** Formats a character as `U+200B`. */
function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * Returns the error that refuses an upload to an existing artefact; undefined if there is none. To a caller that may
 * not see the artefact, every conflict reads the same.
 *
 * @param packageName of an npm upload, once its content is known
 * @returns artefact_id_taken, mirrored, format_conflict, package_name_conflict
 */
export function conflictOf(
  caller: Caller,
  artefact: Artefact | undefined,
  format: Format,
  packageName?: string,
): BerthError | undefined {
  const conflict = artefact && findConflict(artefact, format, packageName);
  return conflict && !canSee(caller, artefact)
    ? new ArtefactIdTakenError(
        'This id is in use by an artefact that the key may not see and that does not accept this upload: choose ' +
          'another id, or ask a superadmin of the registry, who can see it.',
      )
    : conflict;
}

function findConflict(artefact: Artefact, format: Format, packageName: string | undefined): BerthError | undefined {
  if (artefact.origin)
    return new MirroredConflictError(
      `This artefact is a mirror of ${artefact.origin}: upload it there, or choose another id.`,
    );
  if (artefact.format !== format)
    return new FormatConflictError(
      `The artefact with this id has the format ${artefact.format}: choose another id, or delete it first.`,
    );
  if (packageName !== undefined && artefact.packageName !== packageName)
    return new PackageNameConflictError(
      `The artefact with this id holds the package ${artefact.packageName ?? ''}, not ${packageName}: choose ` +
        'another id.',
    );
  return undefined;
}
