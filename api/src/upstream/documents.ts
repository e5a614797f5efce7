// Parses and validates a document of another registry, in any of three dialects: slots with digests, slots without
// digests, or one tarball at the root. Documents are untrusted: what an upload may not have, they may not either.

import { createHash } from 'node:crypto';
import { Value } from 'typebox/value';
import {
  assertArchitecture,
  assertArtefactId,
  assertCategory,
  assertFileName,
  FILE_SLOT,
  LocalisedTextSchema,
  LongLocalisedTextSchema,
  NOARCH,
  type Format,
  type LocalisedText,
} from '../artefacts/index.ts';
import { isDigest } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import {
  MAX_SCHEMA_DEPTH,
  pickLinks,
  readDescription,
  readKeywords,
  readName,
  readSchema,
  readTerm,
  readUrl,
  readVersion,
  type PackageLinks,
} from '../tarballs/index.ts';
import type { UpstreamSlot } from './bytes.ts';
import { RemoteAnswerInvalidError } from './errors.ts';

export interface UpstreamArtefact {
  id: string;
  format: Format;
  packageName: string | undefined;
  version: string | undefined;
  licence: string | undefined;
  packageDescription: string | undefined;
  keywords: string[] | undefined;
  links: PackageLinks | undefined;
  category: string;
  title: LocalisedText | undefined;
  description: LocalisedText | undefined;
  group: LocalisedText | undefined;
  documentation: string | undefined;
  processingConfigSchema: unknown;
  applicationConfigSchema: unknown;
  thumbnail: { id: string; width: number; height: number } | undefined;
  deprecated: boolean;
  /** Registry that it was mirrored from, if it is a mirror there. */
  origin: string | undefined;
  dataUpdatedAt: string;
  slots: UpstreamSlot[];
}

/** What documents are held to, beside the rules that are the same everywhere. */
export interface DocumentRules {
  /** CATEGORIES: those of this registry. */
  categories: readonly string[];
}

export const THUMBNAIL_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Far more than there are architectures. */
const MAX_SLOTS = 100;
/** Of WebP, the widest thumbnails. */
const MAX_IMAGE_PX = 16_383;
const EPOCH = new Date(0).toISOString();
/** The first time that needs a year of five digits, which neither HTTP dates nor comparisons of texts expect. */
const END_OF_TIME = Date.UTC(10_000, 0);

type Json = Record<string, unknown>;

/** Parses a document. @throws remote_answer_invalid, whose detail says what is wrong */
export function readUpstreamArtefact(value: unknown, { categories }: DocumentRules): UpstreamArtefact {
  const document = object(value) ?? invalid('an artefact that is not an object');
  const id = text(document['_id']) ?? invalid('an artefact without an id');
  try {
    assertArtefactId(id);
    return readFields(id, document, categories);
  } catch (error) {
    if (error instanceof FieldError) return invalid(`${shown(id)} with ${error.message}`);
    if (error instanceof RemoteAnswerInvalidError || !(error instanceof BerthError)) throw error;
    return invalid(`${shown(id)}, which this registry cannot store: ${error.message.replace(/\.$/, '')}`);
  }
}

/** Returns a hash of every field that a mirror copies. */
export function fingerprintOf(artefact: UpstreamArtefact): string {
  return createHash('sha256').update(JSON.stringify(artefact)).digest('base64url');
}

function readFields(id: string, document: Json, categories: readonly string[]): UpstreamArtefact {
  const { format } = document;
  if (format !== 'file' && format !== 'npm') throw new FieldError('an unknown format');
  const category = optional(document, 'category', readTerm, 'the name of a category') ?? 'other';
  assertCategory(category, format, categories);
  const dataUpdatedAt = date(document, 'dataUpdatedAt') ?? date(document, 'updatedAt') ?? EPOCH;
  const name = optional(document, 'packageName', readName, A_NAME);
  return {
    id,
    format,
    dataUpdatedAt,
    packageName: name ?? (format === 'npm' ? optional(document, 'name', readName, A_NAME) : undefined),
    version: optional(document, 'version', readVersion, A_VERSION),
    licence: optional(document, 'licence', readTerm, 'a term of at most 256 characters'),
    packageDescription: readDescription(document['packageDescription']),
    keywords: readKeywords(document['keywords']),
    links: readDocumentLinks(document['links']),
    category,
    title: localised(document, 'title'),
    description: localised(document, 'description', LongLocalisedTextSchema, '20,000'),
    group: localised(document, 'group'),
    documentation: optional(document, 'documentation', readUrl, 'an http or https URL'),
    processingConfigSchema: optional(document, 'processingConfigSchema', readSchema, A_SCHEMA),
    applicationConfigSchema: optional(document, 'applicationConfigSchema', readSchema, A_SCHEMA),
    thumbnail: thumbnail(document['thumbnail']),
    deprecated: document['deprecated'] === true,
    origin: optional(document, 'origin', readUrl, 'an http or https URL'),
    slots: format === 'npm' ? npmSlots(document, dataUpdatedAt) : [fileSlot(document, id, dataUpdatedAt)],
  };
}

const A_NAME = 'a package name of at most 214 visible characters';
const A_VERSION = 'a semver version such as 1.2.3';
const A_SCHEMA = `a JSON schema nested at most ${MAX_SCHEMA_DEPTH} levels deep, of at most 64 KiB`;

/** A field does not hold to the rules; the message names it. */
class FieldError extends Error {}

/**
 * Reads a field that may be missing, null or an empty text.
 * @param read returns undefined for an invalid value
 */
function optional<T>(
  document: Json,
  name: string,
  read: (value: unknown) => T | undefined,
  expected: string,
): T | undefined {
  const value = document[name];
  if (value === undefined || value === null || value === '') return undefined;
  const result = isWellFormed(value) ? read(value) : undefined;
  if (result === undefined) throw new FieldError(`the field ${name} that is not ${expected}`);
  return result;
}

/** Reads the slots; an older registry has one tarball at the root, which it treats as independent of architecture. */
function npmSlots(document: Json, dataUpdatedAt: string): UpstreamSlot[] {
  const tarballs = optional(document, 'tarballs', object, 'an object of slots');
  const version = (slot: Json) => optional(slot, 'version', readVersion, A_VERSION);
  if (!tarballs)
    return [
      {
        ...slotFields(document, dataUpdatedAt),
        architecture: NOARCH,
        version: version(document),
        fileName: undefined,
        route: 'download',
      },
    ];
  const slots = Object.entries(tarballs);
  if (slots.length > MAX_SLOTS) throw new FieldError(`more than ${MAX_SLOTS} slots`);
  return slots.map(([architecture, value]) => {
    assertArchitecture(architecture);
    const slot = object(value);
    if (!slot) throw new FieldError(`a slot ${architecture} that is not an object`);
    return {
      ...slotFields(slot, dataUpdatedAt),
      architecture,
      version: version(slot),
      fileName: undefined,
      route: 'tarball' as const,
    };
  });
}

function fileSlot(document: Json, id: string, dataUpdatedAt: string): UpstreamSlot {
  const fileName = optional(document, 'fileName', text, 'a file name') ?? id;
  if (fileName !== id) assertFileName(fileName);
  return {
    ...slotFields(document, dataUpdatedAt),
    architecture: FILE_SLOT,
    version: undefined,
    fileName,
    route: 'download',
  };
}

function slotFields(
  slot: Json,
  dataUpdatedAt: string,
): Pick<UpstreamSlot, 'digest' | 'sizeBytes' | 'uploadedAt' | 'hasNativeModules' | 'hasInstallScripts'> {
  return {
    digest: optional(slot, 'digest', digest, 'a SHA-256 digest'),
    sizeBytes: optional(slot, 'size', size, 'a number of bytes'),
    uploadedAt: date(slot, 'uploadedAt') ?? dataUpdatedAt,
    hasNativeModules: flag(slot['hasNativeModules']),
    hasInstallScripts: flag(slot['hasInstallScripts']),
  };
}

/** A thumbnail that cannot be read is left out; its image is converted again, which determines its size. */
function thumbnail(value: unknown): UpstreamArtefact['thumbnail'] {
  const it = object(value);
  const id = it && text(it['id']);
  const pixels = (side: unknown) => Math.min(size(side) ?? 0, MAX_IMAGE_PX);
  return id !== undefined && THUMBNAIL_ID.test(id)
    ? { id, width: pixels(it?.['width']), height: pixels(it?.['height']) }
    : undefined;
}

/** Like those of a manifest, links that are invalid are left out. */
function readDocumentLinks(value: unknown): PackageLinks | undefined {
  return pickLinks(object(value) ?? {});
}

/** @param schema of the field in a patch */
function localised(
  document: Json,
  name: string,
  schema = LocalisedTextSchema,
  limit = '2,000',
): LocalisedText | undefined {
  const expected = `a text in fr and en of at most ${limit} characters each`;
  const texts = optional(document, name, (value) => readLocalised(value, schema), expected);
  return texts && Object.keys(texts).length > 0 ? texts : undefined;
}

/** Reads `{ fr, en }`; the oldest registries have a single string without a language. */
function readLocalised(value: unknown, schema: typeof LocalisedTextSchema): LocalisedText | undefined {
  const { fr, en } = typeof value === 'string' ? { fr: value, en: value } : (object(value) ?? { fr: value });
  const texts = Object.fromEntries(
    Object.entries({ fr, en }).filter(([, one]) => one !== undefined && one !== null && one !== ''),
  );
  const isValid = Value.Check(schema, texts) && Object.values(texts).every(isWellFormed);
  return isValid ? texts : undefined;
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.isWellFormed() && !value.includes('\0')
    ? value
    : undefined;
}

function isWellFormed(value: unknown): boolean {
  return typeof value !== 'string' || value.isWellFormed();
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function digest(value: unknown): UpstreamSlot['digest'] {
  return typeof value === 'string' && isDigest(value) ? value : undefined;
}

function size(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function date(document: Json, name: string): string | undefined {
  return optional(document, name, readDate, 'a date such as 2026-01-31T12:00:00Z');
}

function readDate(value: unknown): string | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  return time >= 0 && time < END_OF_TIME ? new Date(time).toISOString() : undefined;
}

/** A text for messages, without control characters. */
function shown(id: string): string {
  return id.slice(0, 256).replace(/\p{Cc}/gu, '\ufffd');
}

function invalid(what: string): never {
  throw new RemoteAnswerInvalidError(`The remote registry returned ${what}.`);
}
