// Secrets of the embedded default: generated once, kept in DATA_DIR/secrets.json and reused.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type Config } from './config.ts';

const NAMES = ['SECRET_INTERNAL_SERVICES', 'API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;
const SECRET_BYTES = 32;

export type Secrets = Record<typeof NAMES[number], string>;

/**
 * Completes the secrets that the configuration leaves out. With PostgreSQL, where several replicas must share
 * them, nothing is generated: all but the internal one must be set.
 * @throws ConfigError naming the missing variable, or an unreadable secrets.json
 */
export function resolveSecrets(config: Config): Secrets {
  if (config.DATABASE_URL) {
    const missing = NAMES.filter((name) => name !== 'SECRET_INTERNAL_SERVICES' && !config[name]);
    if (missing.length > 0) throw new ConfigError(`${missing.join(', ')} must be set when DATABASE_URL is: all replicas share them (make one with: openssl rand -hex 32).`);
    return { ...pick((name) => config[name] ?? '') };
  }
  const file = join(config.DATA_DIR, 'secrets.json');
  const kept = existsSync(file) ? readSecrets(file) : {};
  const missing = NAMES.filter((name) => config[name] === undefined && !kept[name]);
  if (missing.length > 0) {
    for (const name of missing) kept[name] = randomBytes(SECRET_BYTES).toString('hex');
    writeSecrets(config.DATA_DIR, file, kept);
  }
  return pick((name) => config[name] ?? kept[name] ?? '');
}

function pick(value: (name: keyof Secrets) => string): Secrets {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Secrets;
}

function readSecrets(file: string): Partial<Secrets> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>;
  } catch {
    throw new ConfigError(`${file} cannot be read as JSON: restore it from a backup; without its secrets existing API keys and sessions are lost.`);
  }
}

function writeSecrets(directory: string, file: string, secrets: Partial<Secrets>): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
