// Checks options at the door: a mistake is a TypeError that names it, never a request that means something else.

import { isFileName } from './layout.ts';
import type { AccountRef } from './types.ts';

interface Rule {
  required?: true;
  /** Completes "<name> must be …". */
  expected: string;
  holds: (value: unknown) => boolean;
}

export type Rules = Record<string, Rule>;

/** Architectures as the registry accepts them. */
const ARCHITECTURE = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** What a header carries unchanged; anything else `fetch` would refuse in a message that quotes it. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isFunction = (value: unknown): boolean => typeof value === 'function';
const isIntegerFrom =
  (least: number) =>
  (value: unknown): boolean =>
    Number.isSafeInteger(value) && Number(value) >= least;
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value);

const text: Rule = { expected: 'a string that is not empty', holds: isText };
const flag: Rule = { expected: 'true or false', holds: (value) => typeof value === 'boolean' };
const secret: Rule = {
  expected: 'printable ASCII, without a space at either end',
  holds: (value) => typeof value === 'string' && HEADER_SAFE.test(value),
};
const callback: Rule = { expected: 'a function', holds: isFunction };
const localised: Rule = { expected: 'an object like { fr, en }', holds: isObject };

const registryRules: Rules = {
  registryUrl: {
    required: true,
    expected: 'an http(s) URL without credentials, query or fragment',
    holds: isRegistryUrl,
  },
  secretKey: secret,
  apiKey: secret,
  account: { expected: 'an object { type: "user" or "organization", id, department? }', holds: isAccount },
  signal: { expected: 'an AbortSignal', holds: (value) => value instanceof AbortSignal },
  retries: { expected: 'an integer of at least 0', holds: isIntegerFrom(0) },
  timeoutMs: { expected: 'an integer of at least 1', holds: isIntegerFrom(1) },
};

const artefactRules: Rules = {
  ...registryRules,
  artefactId: { required: true, expected: 'an artefact id, such as @acme/import-gpkg@1', holds: isArtefactId },
};

export const getRules = artefactRules;

export const listRules: Rules = {
  ...registryRules,
  q: { expected: 'a string', holds: (value) => typeof value === 'string' },
  category: text,
  format: { expected: 'npm or file', holds: oneOf('npm', 'file') },
  group: text,
  packageName: text,
  origin: text,
  includeDeprecated: flag,
  sort: { expected: 'dataUpdatedAt, name or -name', holds: oneOf('dataUpdatedAt', 'name', '-name') },
  skip: { expected: 'an integer of at least 0', holds: isIntegerFrom(0) },
  size: { expected: 'an integer of at least 0', holds: isIntegerFrom(0) },
};

const cacheRules: Rules = {
  ...artefactRules,
  cacheDir: { ...text, required: true },
  allowStale: flag,
  onProgress: callback,
};

export const ensureRules: Rules = {
  ...cacheRules,
  architecture: {
    expected: 'an architecture such as x64, or an empty string',
    holds: (value) => value === '' || isArchitecture(value),
  },
  build: flag,
  keep: { expected: 'an integer of at least 1', holds: isIntegerFrom(1) },
};

export const ensureFileRules: Rules = {
  ...cacheRules,
  fileName: {
    expected: 'a path inside cacheDir, such as tiles/europe.pmtiles, no part of which begins with a dot',
    holds: (value) => typeof value === 'string' && isFileName(value),
  },
};

export const migrateRules: Rules = {
  ...registryRules,
  plugins: {
    required: true,
    expected: 'a list of what to migrate',
    holds: (value) => isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value),
  },
  grants: { expected: 'a list of accounts', holds: (value) => Array.isArray(value) && value.every(isAccount) },
  onResult: callback,
};

export const publishRules: Rules = {
  ...artefactRules,
  format: { expected: 'npm or file', holds: oneOf('npm', 'file') },
  file: {
    required: true,
    expected: 'a path or a stream of bytes',
    holds: (value) => isText(value) || (isObject(value) && Symbol.asyncIterator in value),
  },
  architecture: { expected: 'an architecture such as x64 or noarch', holds: isArchitecture },
  category: text,
  title: localised,
  description: localised,
  fileName: text,
  onProgress: callback,
};

/**
 * Checks `options` against `rules`; an option that is undefined counts as left out.
 *
 * @throws TypeError when an option is unknown, missing or wrong; no secret is ever quoted
 */
export function checkOptions(caller: string, options: unknown, rules: Rules): void {
  if (!isObject(options)) throw new TypeError(`${caller} takes one object of options`);
  if (Object.hasOwn(options, 'version')) {
    throw new TypeError(`${caller}: there is no option "version": the artefact id is the only selector`);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(rules, name)) throw new TypeError(`${caller}: unknown option "${name}"`);
  }
  for (const [name, rule] of Object.entries(rules)) {
    const value = options[name];
    if (value === undefined) {
      if (rule.required) throw new TypeError(`${caller}: ${name} is missing; it must be ${rule.expected}`);
    } else if (!rule.holds(value)) {
      throw new TypeError(`${caller}: ${name} must be ${rule.expected}`);
    }
  }
  if (options.secretKey !== undefined && options.apiKey !== undefined) {
    throw new TypeError(`${caller}: give either secretKey or apiKey, not both`);
  }
}

function isRegistryUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}

/** `.` and `..` would name another route; a lone surrogate has no encoding. */
function isArtefactId(value: unknown): boolean {
  return typeof value === 'string' && !['', '.', '..'].includes(value) && !/\p{Surrogate}/u.test(value);
}

function isArchitecture(value: unknown): boolean {
  return typeof value === 'string' && ARCHITECTURE.test(value);
}

function isAccount(value: unknown): value is AccountRef {
  return (
    isObject(value) &&
    oneOf('user', 'organization')(value.type) &&
    isText(value.id) &&
    (value.department === undefined || isText(value.department))
  );
}
