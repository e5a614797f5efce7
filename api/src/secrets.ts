// Secrets of the embedded default: generated once, kept in DATA_DIR/secrets.json and reused.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type Config } from './config.ts';

const NAMES = ['SECRET_INTERNAL_SERVICES', 'API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;
const SECRET_BYTES = 32;

/** Without these, what the database holds is of no use: keys, the keys of remote registries, second factors. */
const BOUND_TO_DATA = ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;

export type Secrets = Record<(typeof NAMES)[number], string>;

/**
 * Completes the secrets that the configuration leaves out. With PostgreSQL, where several replicas must share
 * them, nothing is generated: all but the internal one must be set.
 * @throws ConfigError naming the missing variable, or an unreadable secrets.json
 */
export function resolveSecrets(config: Config): Secrets {
  if (config.DATABASE_URL) {
    const missing = NAMES.filter((name) => name !== 'SECRET_INTERNAL_SERVICES' && !config[name]);
    if (missing.length > 0)
      throw new ConfigError(
        `${missing.join(', ')} must be set when DATABASE_URL is: all replicas share them (make one with: openssl ` +
          'rand -hex 32).',
      );
    return { ...pick((name) => config[name] ?? '') };
  }
  const file = secretsFile(config);
  const kept = existsSync(file) ? readSecrets(file) : {};
  const missing = NAMES.filter((name) => config[name] === undefined && !kept[name]);
  if (missing.length > 0) {
    for (const name of missing) kept[name] = randomBytes(SECRET_BYTES).toString('hex');
    writeSecrets(config.DATA_DIR, file, kept);
  }
  return pick((name) => config[name] ?? kept[name] ?? '');
}

/**
 * Tells which secrets the instance keeps itself, for its backup, and names those that are given to it.
 * @throws ConfigError
 */
export function keptSecrets(config: Config): { kept: Record<string, string>; given: string[] } {
  const file = secretsFile(config);
  const isUsed = config.DATABASE_URL === undefined && existsSync(file);
  const kept = Object.entries(isUsed ? readSecrets(file) : {}).filter(
    ([name]) => config[name as keyof Secrets] === undefined,
  );
  return { kept: Object.fromEntries(kept), given: NAMES.filter((name) => config[name] !== undefined) };
}

/**
 * Puts the secrets of a backup into DATA_DIR/secrets.json, but for those that the settings give; doing it again
 * changes nothing.
 * @throws ConfigError when the instance would go on with another secret than its data was made with /
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
  const others = BOUND_TO_DATA.filter(
    (name) => config[name] !== undefined && secrets[name] !== undefined && config[name] !== secrets[name],
  );
  if (others.length > 0)
    throw new ConfigError(
      `${others.join(', ')} must have the value that the backup was made with, or every API key is dead: it is ` +
        `in ${source}.`,
    );
  const absent = BOUND_TO_DATA.filter((name) => config[name] === undefined && manifest.secrets.leftOut.includes(name));
  if (absent.length > 0)
    throw new ConfigError(
      `${absent.join(', ')} must be set as it was for the instance that was backed up: the backup does not hold ` +
        'it, since it came from the environment.',
    );
  if (config.DATABASE_URL) {
    const unset = BOUND_TO_DATA.filter((name) => config[name] === undefined);
    if (unset.length > 0)
      throw new ConfigError(
        `${unset.join(', ')} must be set when DATABASE_URL is: take the values that the backup was made with ` +
          `from ${source}.`,
      );
    return;
  }
  const file = secretsFile(config);
  const present = existsSync(file) ? readSecrets(file) : {};
  const foreign = BOUND_TO_DATA.filter(
    (name) => config[name] === undefined && present[name] !== undefined && present[name] !== secrets[name],
  );
  if (foreign.length > 0)
    throw new ConfigError(
      `DATA_DIR holds ${config.DATA_DIR}, whose secrets.json is that of another instance: restore into a new folder.`,
    );
  const wanted = Object.entries(secrets).filter(([name]) => config[name as keyof Secrets] === undefined);
  if (wanted.length > 0) writeSecrets(config.DATA_DIR, file, { ...present, ...Object.fromEntries(wanted) });
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
      `${file} cannot be read as JSON: restore it from a backup; without its secrets existing API keys and ` +
        'sessions are lost.',
    );
  }
}

function writeSecrets(directory: string, file: string, secrets: Partial<Secrets>): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
