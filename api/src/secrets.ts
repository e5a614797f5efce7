// Secrets that the configuration leaves out: with SQLite they are generated once and stored in DATA_DIR/secrets.json.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type Config } from './config/index.ts';

const NAMES = ['SECRET_INTERNAL_SERVICES', 'API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;
const SECRET_BYTES = 32;

/** Data in the database depends on these: API keys, keys of remote registries, second factors. */
const BOUND_TO_DATA = ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;

export type Secrets = Record<(typeof NAMES)[number], string>;

/**
 * Completes the secrets that the configuration leaves out. With PostgreSQL nothing is generated, since all replicas
 * must share the secrets: all but SECRET_INTERNAL_SERVICES must be set.
 * @throws ConfigError for missing variables, and for an unreadable secrets.json
 */
export function resolveSecrets(config: Config): Secrets {
  if (config.DATABASE_URL) {
    const missing = NAMES.filter((name) => name !== 'SECRET_INTERNAL_SERVICES' && !config[name]);
    if (missing.length > 0)
      throw new ConfigError(
        `${missing.join(', ')} must be set if DATABASE_URL is, since all replicas share the secrets (generate one ` +
          'with: openssl rand -hex 32).',
      );
    return { ...pick((name) => config[name] ?? '') };
  }
  const file = secretsFile(config);
  const generated = existsSync(file) ? readSecrets(file) : {};
  const missing = NAMES.filter((name) => config[name] === undefined && !generated[name]);
  if (missing.length > 0) {
    for (const name of missing) generated[name] = randomBytes(SECRET_BYTES).toString('hex');
    writeSecrets(config.DATA_DIR, file, generated);
  }
  return pick((name) => config[name] ?? generated[name] ?? '');
}

/**
 * Returns, for a backup, the generated secrets in use, and the names of those that the settings provide.
 * @throws ConfigError
 */
export function secretsForBackup(config: Config): { generated: Record<string, string>; configured: string[] } {
  const file = secretsFile(config);
  const isUsed = config.DATABASE_URL === undefined && existsSync(file);
  const generated = Object.entries(isUsed ? readSecrets(file) : {}).filter(
    ([name]) => config[name as keyof Secrets] === undefined,
  );
  return { generated: Object.fromEntries(generated), configured: NAMES.filter((name) => config[name] !== undefined) };
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
        'value, since it came from the environment.',
    );
  if (config.DATABASE_URL) {
    const unset = BOUND_TO_DATA.filter((name) => config[name] === undefined);
    if (unset.length > 0)
      throw new ConfigError(`${unset.join(', ')} must be set if DATABASE_URL is: use the values in ${source}.`);
    return;
  }
  const file = secretsFile(config);
  const existing = existsSync(file) ? readSecrets(file) : {};
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

function secretsFile(config: Config): string {
  return join(config.DATA_DIR, 'secrets.json');
}

function pick(value: (name: keyof Secrets) => string): Secrets {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Secrets;
}

function readSecrets(file: string): Partial<Secrets> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>;
  } catch {
    throw new ConfigError(
      `${file} cannot be read as JSON: restore it from a backup. Without its secrets, existing API keys and ` +
        'sessions are lost.',
    );
  }
}

function writeSecrets(directory: string, file: string, secrets: Partial<Secrets>): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
