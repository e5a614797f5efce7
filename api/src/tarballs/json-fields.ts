// Reads single fields of a package.json: each reader returns undefined for an invalid value.

import { isUtf8 } from 'node:buffer';

/** semver's limit for versions; no licence expression in use comes near it. */
const MAX_TERM_LENGTH = 256;
const MAX_URL_LENGTH = 2048;
const MAX_REASON_LENGTH = 200;
/** Characters that cannot be seen: with them, a name looks like another one. Also those that reorder text. */
export const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

export type JsonObject = Record<string, unknown>;

/** Parses a JSON object in UTF-8; returns undefined for anything else. */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Says, to follow the name of a file, why parseJsonObject does not read its content. */
export function findJsonProblem(bytes: Buffer): string {
  if (bytes.length === 0) return 'is empty';
  // Text in UTF-16 begins with its byte order mark or, as JSON begins with ASCII, has a NUL in its first character.
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) || isUtf16(bytes))
    return 'is UTF-16 text, but it must be UTF-8';
  if (!isUtf8(bytes)) return 'is not UTF-8 text';
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return 'is JSON, but not an object';
  } catch (error) {
    // The parser quotes up to 20 characters of the file, which may be any.
    const reason = String(error instanceof SyntaxError ? error.message : 'it is nested too deep')
      .replace(/ (?:in|after) JSON at position \d+ \((line \d+ column \d+)\)$/, ' at $1')
      .replace(/ is not valid JSON$/, '')
      .replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ');
    return `is not valid JSON (${reason.slice(0, MAX_REASON_LENGTH)})`;
  }
}

function isUtf16(bytes: Buffer): boolean {
  return bytes.length > 1 && (bytes[0] === 0) !== (bytes[1] === 0);
}

/** Reads a short string of a manifest: not empty, no control characters, no surrounding white space. */
export function readTerm(value: unknown, maxLength = MAX_TERM_LENGTH): string | undefined {
  const isTerm =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= maxLength &&
    value.trim() === value &&
    !/\p{Cc}/u.test(value);
  return isTerm ? value : undefined;
}

export function readUrl(value: unknown): string | undefined {
  const url = readTerm(value, MAX_URL_LENGTH);
  return url !== undefined && /^https?:/i.test(url) && URL.canParse(url) ? url : undefined;
}

/** Checks whether a parsed JSON value is an object: not an array, not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
