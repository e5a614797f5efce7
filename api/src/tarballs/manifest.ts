// What a package.json says, as far as it is shown or served.

import parseVersion from 'semver/functions/parse.js';
import { ManifestInvalidError } from './errors.ts';

/** npm's own bound on the names of packages. */
const MAX_NAME_LENGTH = 214;
/** semver's own bound on versions; no licence expression in use comes near it. */
const MAX_TERM_LENGTH = 256;
const MAX_URL_LENGTH = 2048;
/** Far more than forms use; serialising what is deeper by thousands overflows the stack. */
export const MAX_SCHEMA_DEPTH = 100;
const A_SCHEMA = `a JSON schema: an object, nested at most ${MAX_SCHEMA_DEPTH} deep`;

export type JsonObject = Record<string, unknown>;

export interface Manifest {
  name: string;
  /** A semver version, for display. */
  version: string;
  /** An SPDX expression mostly; a package with several legacy licences has them joined by ` OR `. */
  licence?: string;
  /** From `registry.category`; whether this registry knows it is for the caller to check. */
  category?: string;
  /** From `registry.documentation`: an http or https URL. */
  documentation?: string;
  processingConfigSchema?: JsonObject;
  applicationConfigSchema?: JsonObject;
}

/** Parses a JSON object in UTF-8; undefined for whatever else. */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads the manifest of a tarball.
 * @param json the content of `package/package.json`; undefined when it is no JSON object
 * @throws manifest_invalid, saying which field to correct
 */
export function readManifest(json: JsonObject | undefined): Manifest {
  if (!json)
    throw new ManifestInvalidError('package/package.json is not a JSON object in UTF-8: correct it and pack again.');
  const { registry = {} } = json;
  if (!isJsonObject(registry)) throw invalid('registry', 'an object');
  const licence = readLicence(json);
  return {
    name: take('name', json.name, readName, `a text of 1 to ${MAX_NAME_LENGTH} characters`),
    version: take('version', json.version, readVersion, 'a semver version such as 1.2.3'),
    ...(licence !== undefined && { licence }),
    ...('category' in registry && {
      category: take('registry.category', registry.category, readTerm, 'the name of a category'),
    }),
    ...('documentation' in registry && {
      documentation: take('registry.documentation', registry.documentation, readUrl, 'an http or https URL'),
    }),
    ...('processingConfigSchema' in registry && {
      processingConfigSchema: take(
        'registry.processingConfigSchema',
        registry.processingConfigSchema,
        readSchema,
        A_SCHEMA,
      ),
    }),
    ...('applicationConfigSchema' in registry && {
      applicationConfigSchema: take(
        'registry.applicationConfigSchema',
        registry.applicationConfigSchema,
        readSchema,
        A_SCHEMA,
      ),
    }),
  };
}

/**
 * Reads the licence that npm packages of any age declare: `license` or `licence`, a text or `{ type }`, or an array
 * `licenses`.
 */
export function readLicence({ license, licence, licenses }: JsonObject): string | undefined {
  const alternatives = Array.isArray(licenses)
    ? licenses.map(readLicenceName).filter((name) => name !== undefined)
    : [];
  return readLicenceName(license) ?? readLicenceName(licence) ?? readTerm(alternatives.join(' OR '));
}

/** Reads the name of a package: 1 to 214 characters, none of them a control character, no space around. */
export function readName(value: unknown): string | undefined {
  return readTerm(value, MAX_NAME_LENGTH);
}

/** Reads a short text as one finds it in a manifest: not empty, no control characters, no space around. */
export function readTerm(value: unknown, maxLength = MAX_TERM_LENGTH): string | undefined {
  const isTerm =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= maxLength &&
    value.trim() === value &&
    !/\p{Cc}/u.test(value);
  return isTerm ? value : undefined;
}

/** Tells whether a parsed JSON value is an object, so neither array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function take<T>(field: string, value: unknown, read: (value: unknown) => T | undefined, expected: string): T {
  const taken = read(value);
  if (taken === undefined) throw invalid(field, expected);
  return taken;
}

function invalid(field: string, expected: string): Error {
  return new ManifestInvalidError(`${field} in package/package.json must be ${expected}: correct it and pack again.`);
}

/** Strict where semver's parser is not: it also takes `v1.2.3`, `=1.2.3` and spaces around. */
function readVersion(value: unknown): string | undefined {
  const version = readTerm(value);
  const parsed = parseVersion(version);
  return parsed && [parsed.version, ...(parsed.build.length ? [parsed.build.join('.')] : [])].join('+') === version
    ? version
    : undefined;
}

function readUrl(value: unknown): string | undefined {
  const url = readTerm(value, MAX_URL_LENGTH);
  return url !== undefined && /^https?:/i.test(url) && URL.canParse(url) ? url : undefined;
}

function readSchema(value: unknown): JsonObject | undefined {
  return isJsonObject(value) && !isDeeperThan(MAX_SCHEMA_DEPTH, value) ? value : undefined;
}

export function isDeeperThan(levels: number, value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    (levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner)))
  );
}

function readLicenceName(value: unknown): string | undefined {
  return readTerm(isJsonObject(value) ? value.type : value);
}
