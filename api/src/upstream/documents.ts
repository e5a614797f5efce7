// Parses and validates a document of another registry, in any of three dialects: slots with digests, slots without
// digests, or one tarball at the root. Documents are untrusted input.

import { createHash } from 'node:crypto';
import {
  assertArchitecture,
  assertArtefactId,
  assertFileName,
  FILE_SLOT,
  NOARCH,
  type Format,
  type LocalisedText,
} from '../artefacts/index.ts';
import { isDigest } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { isDeeperThan, MAX_SCHEMA_DEPTH } from '../tarballs/index.ts';
import type { UpstreamSlot } from './bytes.ts';
import { RemoteAnswerInvalidError } from './errors.ts';

export interface UpstreamArtefact {
  id: string;
  format: Format;
  packageName: string | undefined;
  version: string | undefined;
  licence: string | undefined;
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

export const THUMBNAIL_ID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_TEXT_LENGTH = 2_000;
const EPOCH = new Date(0).toISOString();

type Json = Record<string, unknown>;

/** Parses a document. @throws remote_answer_invalid, whose detail says what is wrong */
export function readUpstreamArtefact(value: unknown): UpstreamArtefact {
  const document = object(value) ?? invalid('an artefact that is not an object');
  const id = text(document['_id']) ?? invalid('an artefact without an id');
  try {
    assertArtefactId(id);
    const format =
      document['format'] === 'file'
        ? 'file'
        : document['format'] === 'npm'
          ? 'npm'
          : invalid(`${id} with an unknown format`);
    const dataUpdatedAt = date(document['dataUpdatedAt']) ?? date(document['updatedAt']) ?? EPOCH;
    return {
      id,
      format,
      dataUpdatedAt,
      packageName: text(document['packageName']) ?? (format === 'npm' ? text(document['name']) : undefined),
      version: text(document['version']),
      licence: text(document['licence']),
      category: text(document['category']) ?? 'other',
      title: localised(document['title']),
      description: localised(document['description']),
      group: localised(document['group']),
      documentation: text(document['documentation']),
      processingConfigSchema: schema(document['processingConfigSchema']),
      applicationConfigSchema: schema(document['applicationConfigSchema']),
      thumbnail: thumbnail(document['thumbnail']),
      deprecated: document['deprecated'] === true,
      origin: text(document['origin']),
      slots: format === 'npm' ? npmSlots(document, dataUpdatedAt) : [fileSlot(document, id, dataUpdatedAt)],
    };
  } catch (error) {
    if (error instanceof RemoteAnswerInvalidError || !(error instanceof BerthError)) throw error;
    return invalid(`${id}, which this registry cannot store: ${error.message}`);
  }
}

/** Returns a hash of every field that a mirror copies. */
export function fingerprintOf(artefact: UpstreamArtefact): string {
  return createHash('sha256').update(JSON.stringify(artefact)).digest('base64url');
}

/** Reads the slots; an older registry has one tarball at the root, which it treats as independent of architecture. */
function npmSlots(document: Json, dataUpdatedAt: string): UpstreamSlot[] {
  const tarballs = object(document['tarballs']);
  if (!tarballs)
    return [
      {
        ...slotFields(document, dataUpdatedAt),
        architecture: NOARCH,
        version: text(document['version']),
        fileName: undefined,
        route: 'download',
      },
    ];
  return Object.entries(tarballs).map(([architecture, value]) => {
    assertArchitecture(architecture);
    const slot = object(value) ?? invalid(`a slot ${architecture} that is not an object`);
    return {
      ...slotFields(slot, dataUpdatedAt),
      architecture,
      version: text(slot['version']),
      fileName: undefined,
      route: 'tarball' as const,
    };
  });
}

function fileSlot(document: Json, id: string, dataUpdatedAt: string): UpstreamSlot {
  const fileName = text(document['fileName']) ?? id;
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
  const digest = text(slot['digest']);
  const size = slot['size'];
  return {
    digest: digest !== undefined && isDigest(digest) ? digest : undefined,
    sizeBytes: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined,
    uploadedAt: date(slot['uploadedAt']) ?? dataUpdatedAt,
    hasNativeModules: flag(slot['hasNativeModules']),
    hasInstallScripts: flag(slot['hasInstallScripts']),
  };
}

function thumbnail(value: unknown): UpstreamArtefact['thumbnail'] {
  const it = object(value);
  const id = it && text(it['id']);
  return id !== undefined && THUMBNAIL_ID.test(id)
    ? { id, width: Number(it?.['width']) || 0, height: Number(it?.['height']) || 0 }
    : undefined;
}

function localised(value: unknown): LocalisedText | undefined {
  // The oldest registries have a single string without a language.
  const it = typeof value === 'string' ? { fr: value, en: value } : object(value);
  const [fr, en] = [text(it?.['fr'])?.slice(0, MAX_TEXT_LENGTH), text(it?.['en'])?.slice(0, MAX_TEXT_LENGTH)];
  return (fr ?? en) ? { ...(fr !== undefined && { fr }), ...(en !== undefined && { en }) } : undefined;
}

function schema(value: unknown): unknown {
  if (isDeeperThan(MAX_SCHEMA_DEPTH, value))
    invalid(`a configuration schema that is nested more than ${MAX_SCHEMA_DEPTH} levels deep`);
  return value ?? undefined;
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.isWellFormed() && !value.includes('\0')
    ? value
    : undefined;
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function date(value: unknown): string | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

function invalid(what: string): never {
  throw new RemoteAnswerInvalidError(`The remote registry returned ${what}.`);
}
