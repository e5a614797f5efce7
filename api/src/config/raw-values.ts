// Collects the settings as they were given: from environment variables, from the files that variables such as
// AUTH_SECRET_FILE name, and from the BERTH_CONFIG file. Interprets nothing, but removes surrounding white space.

import { readFileSync } from 'node:fs';
import type { TSchema } from 'typebox';
import { ConfigError } from './config-error.ts';
import { fileReason, readConfigFile } from './config-file.ts';
import { ConfigSchema } from './schema.ts';
import { isList, isSecret, SECRET_FILE_SUFFIX } from './schema-text.ts';

export interface RawValue {
  /** A text, unless the BERTH_CONFIG file has another type. */
  value: unknown;
  /** Subject of messages: `AUTH_SECRET`, or `AUTH_SECRET, read from /run/secrets/auth,`. */
  label: string;
}

/** Many systems set these in lower case, and set an empty text for no proxy. */
const PROXY_NAMES = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']);
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]/u;

/**
 * Returns the given values by name; the environment overrides the BERTH_CONFIG file.
 * @throws ConfigError for an unreadable file, a secret that is given twice, and characters that no setting may have
 */
export function readRawValues(env: NodeJS.ProcessEnv): Map<string, RawValue> {
  const path = clean(env['BERTH_CONFIG'] ?? '', false, 'BERTH_CONFIG');
  const file = path === '' ? {} : readConfigFile(path);
  const values = new Map<string, RawValue>();
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const given = find(env, name, schema) ?? find(file, name, schema);
    if (given) values.set(name, given);
  }
  return values;
}

/** Finds the value of a setting in one source: under its name or, for a secret, in the file that NAME_FILE names. */
function find(source: Record<string, unknown>, name: string, schema: TSchema): RawValue | undefined {
  const value = PROXY_NAMES.has(name) ? source[name] || source[name.toLowerCase()] || undefined : source[name];
  const pathName = name + SECRET_FILE_SUFFIX;
  const path = isSecret(schema) ? (source[pathName] ?? '') : '';
  if (path === '')
    return value === undefined || value === null ? undefined : { value: cleanAll(value, schema, name), label: name };
  if (typeof path !== 'string')
    throw new ConfigError(`${pathName} has the wrong type: it must be the path of a file.`);
  if (value !== undefined) throw new ConfigError(`${name} and ${pathName} are both set: remove one of them.`);
  const file = clean(path, false, pathName);
  const label = `${name}, read from ${file},`;
  return { value: clean(readSecretFile(pathName, file), true, label), label };
}

function readSecretFile(name: string, path: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    throw new ConfigError(`${name} is ${path}, which cannot be read: ${fileReason(error)}.`);
  }
  if (/^[\r\n]*$/.test(text)) throw new ConfigError(`${name} is ${path}, but that file is empty.`);
  return text;
}

function cleanAll(value: unknown, schema: TSchema, label: string): unknown {
  const cleanOne = (item: unknown) => (typeof item === 'string' ? clean(item, isSecret(schema), label) : item);
  if (isList(schema) && typeof value === 'string') return value.split(',').map(cleanOne);
  return Array.isArray(value) ? value.map(cleanOne) : cleanOne(value);
}

/** Removes line ends around a secret, whose spaces may matter, and white space around any other text. */
function clean(value: string, isSecretText: boolean, label: string): string {
  const text = isSecretText ? value.replace(/^[\r\n]+/, '').replace(/[\r\n]+$/, '') : value.trim();
  const hint = isSecretText ? ' Its value is not shown.' : '';
  if (text !== text.trim())
    throw new ConfigError(`${label} begins or ends with white space: remove it; only line ends are ignored.${hint}`);
  if (CONTROL_CHARACTERS.test(text))
    throw new ConfigError(`${label} contains a control character, such as a tab or a line break: remove it.${hint}`);
  return text;
}
