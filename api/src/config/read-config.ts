// Reads the configuration once at start; raw-values.ts finds the values.

import { ConfigError } from './config-error.ts';
import { readRawValues } from './raw-values.ts';
import { ConfigSchema, type Config, type Settings } from './schema.ts';
import { defaultOf, describeExpected, describeValue, isSecret, isValid, parseText } from './schema-text.ts';

const REQUIRED_FOR_OIDC = ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'] as const;
const NEED_OIDC_ISSUER = [
  ...REQUIRED_FOR_OIDC,
  'OIDC_EMAIL_VERIFIED_CLAIM',
  'OIDC_ORGANIZATIONS_CLAIM',
  'OIDC_ADMIN_CLAIM',
  'OIDC_ADMIN_VALUE',
] as const;
const S3_KEYS = ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;

/**
 * Reads the configuration; the environment overrides the file.
 * @param env `process.env`; `BERTH_CONFIG` names a JSON or YAML file with the same names
 * @throws ConfigError
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = readRawValues(env);
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const { value: raw, label } = given.get(name) ?? { value: undefined, label: name };
    const isUnset = raw === undefined || (isBlank(raw) && !isSecret(schema));
    const value = isUnset ? defaultOf(schema) : parseText(schema, raw);
    if (value === undefined) continue;
    if (!isValid(schema, value))
      throw new ConfigError(`${label} ${describeValue(schema, raw)}, but it must be ${describeExpected(schema)}.`);
    values[name] = value;
  }
  const settings = values as Settings;
  assertComplete(settings);
  return {
    ...settings,
    CATEGORIES: [...new Set([...settings.CATEGORIES, 'other'])],
    ...(settings.S3_ROOT_DIR !== undefined && { S3_ROOT_DIR: settings.S3_ROOT_DIR.replace(/^\/|\/$/g, '') }),
    PUBLIC_URL: (settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`).replace(/\/+$/, ''),
  };
}

/** Whether a value is empty, as variables without a value are in many environment files. */
function isBlank(raw: unknown): boolean {
  return raw === '' || (Array.isArray(raw) && raw.length === 1 && raw[0] === '');
}

/** Rejects settings that depend on another one which is not set. */
function assertComplete(settings: Settings): void {
  const withoutIssuer = NEED_OIDC_ISSUER.find((name) => settings[name] !== undefined);
  if (settings.OIDC_ISSUER === undefined && withoutIssuer !== undefined)
    throw new ConfigError(`${withoutIssuer} also requires OIDC_ISSUER, which is not set.`);
  if (settings.OIDC_ISSUER !== undefined) {
    if (settings.AUTH_MODE !== 'local')
      throw new ConfigError(`OIDC_ISSUER requires AUTH_MODE=local, but AUTH_MODE is "${settings.AUTH_MODE}".`);
    assertSet(settings, REQUIRED_FOR_OIDC, 'OIDC_ISSUER');
    if (settings.OIDC_ADMIN_VALUE !== undefined) assertSet(settings, ['OIDC_ADMIN_CLAIM'], 'OIDC_ADMIN_VALUE');
  }
  if (settings.AUTH_MODE === 'simple-directory') assertSet(settings, ['DIRECTORY_URL'], 'AUTH_MODE=simple-directory');
  if (settings.METRICS_PORT === settings.PORT)
    throw new ConfigError(`METRICS_PORT is ${settings.METRICS_PORT}, but it must differ from PORT.`);
  if (settings.FILES_STORAGE === 's3') {
    assertSet(settings, ['S3_BUCKET'], 'FILES_STORAGE=s3');
    const key = S3_KEYS.find((name) => settings[name] !== undefined);
    if (key !== undefined) assertSet(settings, S3_KEYS, key);
  }
}

function assertSet(settings: Settings, names: readonly (keyof Settings)[], requiredBy: string): void {
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length > 0)
    throw new ConfigError(
      `${requiredBy} also requires ${missing.join(', ')}, which ${missing.length === 1 ? 'is' : 'are'} not set.`,
    );
}
