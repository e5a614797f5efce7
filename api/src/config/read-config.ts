// Reads the configuration once at start: from the environment, then from the optional BERTH_CONFIG file.

import { existsSync, readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { parse as parseYaml } from 'yaml';
import { ConfigSchema, type Config, type Settings } from './schema.ts';
import { defaultOf, describeExpected, describeValue, isSecret, parseText } from './schema-text.ts';

/** Many systems set these in lower case. */
const PROXY_NAMES = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']);
const REQUIRED_FOR_OIDC = ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'] as const;
const NEED_OIDC_ISSUER = [...REQUIRED_FOR_OIDC, 'OIDC_ORGANIZATIONS_CLAIM', 'OIDC_ADMIN_CLAIM'] as const;
const REQUIRED_FOR_S3 = ['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;

/** An unusable setting. The message names the variable, its value and the values it accepts. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration; the environment overrides the file.
 * @param env `process.env`; `BERTH_CONFIG` names a JSON or YAML file with the same names
 * @throws ConfigError
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const file = env['BERTH_CONFIG'] ? readConfigFile(env['BERTH_CONFIG']) : {};
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const raw = env[name] ?? (PROXY_NAMES.has(name) ? env[name.toLowerCase()] : undefined) ?? file[name];
    const value =
      raw === undefined || raw === null || (raw === '' && !isSecret(schema))
        ? defaultOf(schema)
        : parseText(schema, raw);
    if (value === undefined) continue;
    if (!Value.Check(schema, value))
      throw new ConfigError(`${name} ${describeValue(schema, raw)}, but it must be ${describeExpected(schema)}.`);
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

/** Rejects settings that depend on another one which is not set. */
function assertComplete(settings: Settings): void {
  const withoutIssuer = NEED_OIDC_ISSUER.find((name) => settings[name] !== undefined);
  if (settings.OIDC_ISSUER === undefined && withoutIssuer !== undefined)
    throw new ConfigError(`${withoutIssuer} also requires OIDC_ISSUER, which is not set.`);
  if (settings.OIDC_ISSUER !== undefined) {
    if (settings.AUTH_MODE !== 'local')
      throw new ConfigError(`OIDC_ISSUER requires AUTH_MODE=local, but AUTH_MODE is "${settings.AUTH_MODE}".`);
    assertSet(settings, REQUIRED_FOR_OIDC, 'OIDC_ISSUER');
  }
  if (settings.AUTH_MODE === 'simple-directory') assertSet(settings, ['DIRECTORY_URL'], 'AUTH_MODE=simple-directory');
  if (settings.NODE_EXTRA_CA_CERTS !== undefined && !existsSync(settings.NODE_EXTRA_CA_CERTS))
    throw new ConfigError(`NODE_EXTRA_CA_CERTS is ${settings.NODE_EXTRA_CA_CERTS}, but there is no such file.`);
  if (settings.FILES_STORAGE === 's3') assertSet(settings, REQUIRED_FOR_S3, 'FILES_STORAGE=s3');
}

function assertSet(settings: Settings, names: readonly (keyof Settings)[], requiredBy: string): void {
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length > 0)
    throw new ConfigError(
      `${requiredBy} also requires ${missing.join(', ')}, which ${missing.length === 1 ? 'is' : 'are'} not set.`,
    );
}

function readConfigFile(path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, 'utf8')); // JSON is YAML
  } catch (error) {
    throw new ConfigError(`BERTH_CONFIG is ${path}, which cannot be read as JSON or YAML: ${firstLineOf(error)}.`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`BERTH_CONFIG is ${path}, but that file does not contain an object of settings.`);
  const names = Object.keys(ConfigSchema.properties);
  const unknown = Object.keys(parsed).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new ConfigError(
      `BERTH_CONFIG (${path}) has the unknown setting ${unknown}; known settings: ${names.join(', ')}.`,
    );
  return parsed as Record<string, unknown>;
}

/** Only the first line: a YAML error quotes the surrounding lines after it, which may contain secrets. */
function firstLineOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}
