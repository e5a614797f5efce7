// Validates options: a mistake is a TypeError that names the option, before any request is sent.

import { isFileName } from './layout.ts';
import type { AccountRef } from './types.ts';

interface Rule {
  required?: true;
  /** Completes "<name> must be …". */
  expected: string;
  isValid: (value: unknown) => boolean;
}

export type Rules = Record<string, Rule>;

/** The registry's syntax of architectures. */
const ARCHITECTURE = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** Valid header values; `fetch` would reject others with a message that quotes the secret. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isFunction = (value: unknown): boolean => typeof value === 'function';
const isIntegerFrom =
  (minimum: number) =>
  (value: unknown): boolean =>
    Number.isSafeInteger(value) && Number(value) >= minimum;
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value);

const text: Rule = { expected: 'a non-empty string', isValid: isText };
const flag: Rule = { expected: 'true or false', isValid: (value) => typeof value === 'boolean' };
const secret: Rule = {
  expected: 'printable ASCII in one line',
  isValid: (value) => typeof value === 'string' && HEADER_SAFE.test(value.trim()),
};
const positive: Rule = { expected: 'an integer of at least 1', isValid: isIntegerFrom(1) };
const callback: Rule = { expected: 'a function', isValid: isFunction };
const localised: Rule = { expected: 'an object like { fr, en }', isValid: isObject };

const registryRules: Rules = {
  registryUrl: {
    required: true,
    expected: 'an http(s) URL without credentials, query or fragment',
    isValid: isRegistryUrl,
  },
  secretKey: secret,
  apiKey: secret,
  account: { expected: 'an object { type: "user" or "organization", id, department? }', isValid: isAccount },
  signal: { expected: 'an AbortSignal', isValid: (value) => value instanceof AbortSignal },
  retries: { expected: 'an integer of at least 0', isValid: isIntegerFrom(0) },
  timeoutMs: positive,
};

const artefactRules: Rules = {
  ...registryRules,
  artefactId: { required: true, expected: 'an artefact id, such as @acme/import-gpkg@1', isValid: isArtefactId },
};

export const getRules = artefactRules;

export const listRules: Rules = {
  ...registryRules,
  q: { expected: 'a string', isValid: (value) => typeof value === 'string' },
  category: text,
  format: { expected: 'npm or file', isValid: oneOf('npm', 'file') },
  group: text,
  packageName: text,
  origin: text,
  includeDeprecated: flag,
  sort: { expected: 'dataUpdatedAt, name or -name', isValid: oneOf('dataUpdatedAt', 'name', '-name') },
  skip: { expected: 'an integer of at least 0', isValid: isIntegerFrom(0) },
  size: { expected: 'an integer of at least 0', isValid: isIntegerFrom(0) },
};

/** Node fires later timers at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const interval: Rule = {
  expected: `an integer from 1 to ${MAX_TIMER_MS}`,
  isValid: (value) => isIntegerFrom(1)(value) && Number(value) <= MAX_TIMER_MS,
};

const texts: Rule = {
  expected: 'an array of non-empty strings',
  isValid: (value) => Array.isArray(value) && value.every(isText),
};

export const listEventsRules: Rules = {
  ...registryRules,
  types: texts,
  artefactIds: {
    expected: 'an array of at least one artefact id',
    isValid: (value) => isArtefactIds(value) && value.length > 0,
  },
  after: { expected: 'the id of an event, oldest or latest', isValid: isCursor },
};

export const followRules: Rules = {
  ...listEventsRules,
  streamTimeoutMs: interval,
  onInterruption: callback,
  onResumption: callback,
};

export const watchRules: Rules = {
  ...registryRules,
  ids: { required: true, expected: 'an array of artefact ids', isValid: isArtefactIds },
  onUpdate: { ...callback, required: true },
  onError: callback,
  pollIntervalMs: interval,
  refreshIntervalMs: interval,
  streamTimeoutMs: interval,
};

const cacheRules: Rules = {
  ...artefactRules,
  cacheDir: { ...text, required: true },
  allowStale: flag,
  onProgress: callback,
};

export const unpackRules: Rules = { maxUnpackedBytes: positive, maxEntries: positive };

export const ensureRules: Rules = {
  ...cacheRules,
  ...unpackRules,
  architecture: {
    expected: 'an architecture such as x64, or an empty string',
    isValid: (value) => value === '' || isArchitecture(value),
  },
  build: flag,
  keep: positive,
};

export const ensureFileRules: Rules = {
  ...cacheRules,
  fileName: {
    expected: 'a path inside cacheDir, such as tiles/europe.pmtiles, without parts that start with a dot',
    isValid: (value) => typeof value === 'string' && isFileName(value),
  },
};

export const migrateRules: Rules = {
  ...registryRules,
  plugins: {
    required: true,
    expected: 'an iterable of plug-ins',
    isValid: (value) => isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value),
  },
  grants: { expected: 'an array of accounts', isValid: (value) => Array.isArray(value) && value.every(isAccount) },
  onResult: callback,
};

export const publishRules: Rules = {
  ...artefactRules,
  format: { expected: 'npm or file', isValid: oneOf('npm', 'file') },
  file: {
    required: true,
    expected: 'a path or a stream of bytes',
    isValid: (value) => isText(value) || (isObject(value) && Symbol.asyncIterator in value),
  },
  architecture: { expected: 'an architecture such as x64 or noarch', isValid: isArchitecture },
  category: text,
  title: localised,
  description: localised,
  fileName: text,
  onProgress: callback,
};

/**
 * Checks `options` against `rules`; an undefined option counts as absent.
 *
 * @throws TypeError if an option is unknown, missing or invalid; never quotes a value, which may be a secret
 */
export function checkOptions(caller: string, options: unknown, rules: Rules): void {
  if (!isObject(options)) throw new TypeError(`${caller} expects an object of options`);
  if (Object.hasOwn(options, 'version')) {
    throw new TypeError(`${caller}: unknown option "version": an artefact is selected by its id alone`);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(rules, name)) throw new TypeError(`${caller}: unknown option "${name}"`);
  }
  for (const [name, rule] of Object.entries(rules)) {
    const value = options[name];
    if (value === undefined) {
      if (rule.required) throw new TypeError(`${caller}: ${name} is missing; it must be ${rule.expected}`);
    } else if (!rule.isValid(value)) {
      throw new TypeError(`${caller}: ${name} must be ${rule.expected}`);
    }
  }
  if (options.secretKey !== undefined && options.apiKey !== undefined) {
    throw new TypeError(`${caller}: secretKey and apiKey cannot be combined`);
  }
}

function isRegistryUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}

/** `.` and `..` would change the route; a lone surrogate cannot be encoded. */
function isArtefactId(value: unknown): boolean {
  return typeof value === 'string' && !['', '.', '..'].includes(value) && !/\p{Surrogate}/u.test(value);
}

function isArtefactIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isArtefactId);
}

/** It becomes a header. */
function isCursor(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]{1,256}$/.test(value);
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
