// Secrets that the settings leave out: with SQLite they are generated once and stored in DATA_DIR/secrets.json.
// secret-check.ts compares all of them with the database first.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, fileReason, type Config } from './config/index.ts';
import { fingerprintOf, hasFingerprint, type Fingerprints } from './fingerprints/index.ts';

const NAMES = ['SECRET_INTERNAL_SERVICES', 'API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;
const SECRET_BYTES = 32;

/** Rows in the database depend on these: API keys, keys of remote registries, sessions and second factors. */
export const BOUND_TO_DATA = ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;

type SecretName = (typeof NAMES)[number];
export type BoundSecret = (typeof BOUND_TO_DATA)[number];
export type Secrets = Record<SecretName, string>;

export interface FoundSecrets {
  values: Secrets;
  /** Those that were neither set nor stored, and were generated just now. */
  generated: readonly SecretName[];
}

/**
 * Finds the secrets in the settings and in secrets.json, and generates the others, without storing them. With
 * PostgreSQL nothing is generated, since all replicas share the secrets: all but SECRET_INTERNAL_SERVICES must be set.
 * @throws ConfigError for missing variables, and for an unusable secrets.json
 */
export function findSecrets(config: Config): FoundSecrets {
  if (config.DATABASE_URL) {
    const missing = BOUND_TO_DATA.filter((name) => !config[name]);
    if (missing.length > 0)
      throw new ConfigError(
        `${missing.join(', ')} must be set if DATABASE_URL is, since all replicas share the secrets (generate one ` +
          'with: openssl rand -hex 32).',
      );
    return { values: pick((name) => config[name] ?? ''), generated: [] };
  }
  const stored = readSecrets(secretsFile(config));
  return {
    values: pick((name) => config[name] ?? stored[name] ?? randomBytes(SECRET_BYTES).toString('hex')),
    generated: NAMES.filter((name) => config[name] === undefined && stored[name] === undefined),
  };
}

/** Stores the secrets that were generated. @throws ConfigError if another process has just stored its own */
export function storeGenerated(config: Config, { values, generated }: FoundSecrets): void {
  if (generated.length === 0) return;
  const file = secretsFile(config);
  const stored = readSecrets(file);
  if (generated.some((name) => stored[name] !== undefined))
    throw new ConfigError(`${file} was just written by another process that starts on this DATA_DIR: start again.`);
  writeSecrets(config.DATA_DIR, file, { ...stored, ...Object.fromEntries(generated.map((it) => [it, values[it]])) });
}

/** The fingerprints of the secrets that rows depend on. */
export function fingerprintsOf(values: Secrets): Fingerprints {
  return Object.fromEntries(BOUND_TO_DATA.map((name) => [name, fingerprintOf(name, values[name])]));
}

/**
 * Returns what a backup contains of the secrets: those in secrets.json that are in use, and the names of the others
 * that a restored instance needs.
 * @param fingerprints of the database; a secret that has another one is left out
 * @throws ConfigError
 */
export function secretsForBackup(
  config: Config,
  fingerprints: Fingerprints,
): { generated: Record<string, string>; leftOut: string[] } {
  const stored = config.DATABASE_URL === undefined ? readSecrets(secretsFile(config)) : {};
  const isIncluded = (name: SecretName) =>
    config[name] === undefined && stored[name] !== undefined && hasFingerprint(fingerprints, name, stored[name]);
  const included = NAMES.filter(isIncluded);
  return {
    generated: Object.fromEntries(included.map((name) => [name, stored[name] ?? ''])),
    leftOut: NAMES.filter(
      (name) => !included.includes(name) && (config[name] !== undefined || name !== 'SECRET_INTERNAL_SERVICES'),
    ),
  };
}

/**
 * Writes the secrets of a backup to DATA_DIR/secrets.json, except those that the settings provide. Idempotent.
 * @throws ConfigError if the instance would use other secrets than its data was created with
 */
export function restoreSecrets(
  config: Config,
  {
    directory,
    manifest,
    secrets,
  }: {
    directory: string;
    manifest: { snapshot: string; secrets: { leftOut: string[] } };
    secrets: Record<string, string>;
  },
): void {
  const source = join(directory, manifest.snapshot, 'secrets.json');
  const different = BOUND_TO_DATA.filter(
    (name) => config[name] !== undefined && secrets[name] !== undefined && config[name] !== secrets[name],
  );
  if (different.length > 0)
    throw new ConfigError(
      `${different.join(', ')} must have the value that the backup was made with: with another one its API keys ` +
        `and the keys of its remote registries cannot be used. Find it in ${source}.`,
    );
  const absent = BOUND_TO_DATA.filter((name) => config[name] === undefined && manifest.secrets.leftOut.includes(name));
  if (absent.length > 0)
    throw new ConfigError(
      `${absent.join(', ')} must be set as in the instance that was backed up: the backup does not contain the ` +
        'value. If it is lost, set a new one, and run berth secrets reset after the restore.',
    );
  if (config.DATABASE_URL) {
    const unset = BOUND_TO_DATA.filter((name) => config[name] === undefined);
    if (unset.length > 0)
      throw new ConfigError(`${unset.join(', ')} must be set if DATABASE_URL is: use the values in ${source}.`);
    return;
  }
  const file = secretsFile(config);
  const existing = readSecrets(file);
  const conflicting = BOUND_TO_DATA.filter(
    (name) => config[name] === undefined && existing[name] !== undefined && existing[name] !== secrets[name],
  );
  if (conflicting.length > 0)
    throw new ConfigError(
      `DATA_DIR is ${config.DATA_DIR}, whose secrets.json belongs to another instance: restore into a new folder.`,
    );
  const restored = Object.entries(secrets).filter(([name]) => config[name as keyof Secrets] === undefined);
  if (restored.length > 0) writeSecrets(config.DATA_DIR, file, { ...existing, ...Object.fromEntries(restored) });
}

/** Path of the file with the generated secrets. */
export function secretsFile({ DATA_DIR }: Pick<Config, 'DATA_DIR'>): string {
  return join(DATA_DIR, 'secrets.json');
}

function pick(value: (name: SecretName) => string): Secrets {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Secrets;
}

/** Reads the stored secrets; none if the file is missing. @throws ConfigError if it is not as Berth writes it */
function readSecrets(file: string): Partial<Secrets> {
  if (!existsSync(file)) return {};
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file} cannot be read: ${fileReason(error)}.`);
  }
  const secrets = parseSecrets(text);
  if (!secrets)
    throw new ConfigError(
      `${file} is damaged: restore it from a backup; if its secrets are lost, delete it and run berth secrets reset.`,
    );
  return secrets;
}

/** Undefined for anything but an object of texts. */
function parseSecrets(text: string): Partial<Secrets> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const secrets = Object.entries(value).filter(([name]) => (NAMES as readonly string[]).includes(name));
  const isUsable = secrets.every(([, secret]) => typeof secret === 'string' && secret !== '');
  return isUsable ? Object.fromEntries(secrets) : undefined;
}

function writeSecrets(directory: string, file: string, secrets: Partial<Secrets>): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
