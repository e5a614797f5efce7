// Reads the fields of a package.json that are displayed or served.

import parseVersion from 'semver/functions/parse.js';
import { ManifestInvalidError } from './errors.ts';
import { INVISIBLE, isJsonObject, readTerm, readUrl, type JsonObject } from './json-fields.ts';
import { MAX_QUOTED_LENGTH, quoteName } from './names.ts';
import { readPackageInfo, type PackageLinks } from './package-info.ts';

/** npm's limit for package names. */
const MAX_NAME_LENGTH = 214;
/** Far more than forms use. Serialising a schema that is nested thousands deep would overflow the stack. */
export const MAX_SCHEMA_DEPTH = 100;
/** As JSON in UTF-8. Forms have a few KiB; lists contain the schemas of all their artefacts, up to 1000 on a page. */
const MAX_SCHEMA_BYTES = 64 * 1024;
const A_SCHEMA = `a JSON schema: an object, nested at most ${MAX_SCHEMA_DEPTH} deep, of at most 64 KiB`;

export interface Manifest {
  name: string;
  /** A semver version, for display. */
  version: string;
  /** Usually an SPDX expression. Several legacy licences are joined by ` OR `. */
  licence?: string;
  /** From `registry.category`; the caller checks whether this registry knows it. */
  category?: string;
  /** From `registry.documentation`: an http or https URL. */
  documentation?: string;
  processingConfigSchema?: JsonObject;
  applicationConfigSchema?: JsonObject;
  /** From `description`; for display. */
  packageDescription?: string;
  keywords?: string[];
  links?: PackageLinks;
}

/**
 * Reads the manifest of a tarball.
 * @param json the content of `package/package.json`
 * @throws manifest_invalid, naming the field to correct, and what it holds
 */
export function readManifest(json: JsonObject): Manifest {
  // Berth's own fields are in an object. Other tools have a field of this name as well, such as jspm with a text.
  const registry = isJsonObject(json.registry) ? json.registry : {};
  const licence = readLicence(json);
  const { description, keywords, links } = readPackageInfo(json);
  return {
    name: readField('name', json.name, readName, `a string of 1 to ${MAX_NAME_LENGTH} visible characters`),
    version: readField('version', json.version, readVersion, 'a semver version such as 1.2.3'),
    ...(licence !== undefined && { licence }),
    ...('category' in registry && {
      category: readField('registry.category', registry.category, readTerm, 'the name of a category'),
    }),
    ...('documentation' in registry && {
      documentation: readField('registry.documentation', registry.documentation, readUrl, 'an http or https URL'),
    }),
    ...('processingConfigSchema' in registry && {
      processingConfigSchema: readField(
        'registry.processingConfigSchema',
        registry.processingConfigSchema,
        readSchema,
        A_SCHEMA,
      ),
    }),
    ...('applicationConfigSchema' in registry && {
      applicationConfigSchema: readField(
        'registry.applicationConfigSchema',
        registry.applicationConfigSchema,
        readSchema,
        A_SCHEMA,
      ),
    }),
    ...(description !== undefined && { packageDescription: description }),
    ...(keywords && { keywords }),
    ...(links && { links }),
  };
}

/**
 * Reads the licence in any form that npm packages have used: `license` or `licence`, a string or `{ type }`, or an
 * array `licenses`.
 */
export function readLicence({ license, licence, licenses }: JsonObject): string | undefined {
  const alternatives = Array.isArray(licenses)
    ? licenses.map(readLicenceName).filter((name) => name !== undefined)
    : [];
  return readLicenceName(license) ?? readLicenceName(licence) ?? readTerm(alternatives.join(' OR '));
}

function readField<T>(field: string, value: unknown, read: (value: unknown) => T | undefined, expected: string): T {
  const result = read(value);
  if (result === undefined)
    throw new ManifestInvalidError(
      `${field} in package/package.json is ${describeValue(value)}, but it must be ${expected}: correct it and pack ` +
        'again.',
    );
  return result;
}

/** Describes a value of any size in a few words. */
function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string')
    return value.length > MAX_QUOTED_LENGTH
      ? `${quoteName(value)}, a text of ${value.length} characters`
      : quoteName(value);
  if (Array.isArray(value)) return 'a list';
  if (!isJsonObject(value)) return JSON.stringify(value);
  return isDeeperThan(MAX_SCHEMA_DEPTH, value)
    ? `an object that is nested more than ${MAX_SCHEMA_DEPTH} deep`
    : `an object of ${Buffer.byteLength(JSON.stringify(value))} bytes`;
}

/** Reads a package name: 1 to 214 characters, no control or invisible characters, no surrounding white space. */
export function readName(value: unknown): string | undefined {
  const name = readTerm(value, MAX_NAME_LENGTH);
  return name !== undefined && INVISIBLE.test(name) ? undefined : name;
}

/** Stricter than semver's parser, which also accepts `v1.2.3`, `=1.2.3` and surrounding spaces. */
export function readVersion(value: unknown): string | undefined {
  const version = readTerm(value);
  const parsed = parseVersion(version);
  return parsed && [parsed.version, ...(parsed.build.length ? [parsed.build.join('.')] : [])].join('+') === version
    ? version
    : undefined;
}

export function readSchema(value: unknown): JsonObject | undefined {
  return isJsonObject(value) && isBoundedSchema(value) ? value : undefined;
}

/** Tells whether a value is within MAX_SCHEMA_DEPTH and MAX_SCHEMA_BYTES. */
function isBoundedSchema(value: unknown): boolean {
  return !isDeeperThan(MAX_SCHEMA_DEPTH, value) && Buffer.byteLength(JSON.stringify(value)) <= MAX_SCHEMA_BYTES;
}

function isDeeperThan(levels: number, value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    (levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner)))
  );
}

function readLicenceName(value: unknown): string | undefined {
  return readTerm(isJsonObject(value) ? value.type : value);
}
