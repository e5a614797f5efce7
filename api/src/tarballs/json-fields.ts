// Reads single fields of a package.json: each reader returns undefined for an invalid value.

/** semver's limit for versions; no licence expression in use comes near it. */
const MAX_TERM_LENGTH = 256;
const MAX_URL_LENGTH = 2048;
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
