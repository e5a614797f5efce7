// Shared by the commands that are clients of a registry: its address and key, progress, and printing of the result.

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RegistryError, type RegistryOptions } from '@berth-registry/lib-node';
import { cleanKey, readKey, readVariable } from './environment.ts';
import { runInterruptibly } from './interruptible.ts';
import { escapeValues, print } from './terminal.ts';
import type { Progress } from './progress.ts';

/** Options of each of these commands. */
export const CLIENT_OPTIONS = {
  'url': { type: 'string' },
  'api-key': { type: 'string' },
  'json': { type: 'boolean' },
  'quiet': { type: 'boolean' },
} as const;
export const CLIENT_TEXTS = {
  'url': 'address of the registry, without /api/v1',
  'api-key': 'API key; BERTH_API_KEY is safer, since other users can read command lines',
  'json': 'print the result as JSON, whose fields are stable',
  'quiet': 'show no progress',
};
export const ABOUT_REGISTRY = `The registry is taken from --url, BERTH_URL or berth login, in this order; the API
key from --api-key, BERTH_API_KEY or berth login.`;

/** Options of the administration commands. */
export const ADMIN_OPTIONS = { url: { type: 'string' }, json: { type: 'boolean' } } as const;
export const ADMIN_TEXTS = { url: CLIENT_TEXTS.url, json: CLIENT_TEXTS.json };
export const ABOUT_SESSION = `Requires a session: run berth login URL --email ADDRESS first. The registry is taken from
--url, BERTH_URL or berth login, in this order.`;

export interface ClientValues {
  'url'?: string | undefined;
  'api-key'?: string | undefined;
  'json'?: boolean | undefined;
  'quiet'?: boolean | undefined;
}

/** Settings saved by berth login. */
export interface SavedSettings {
  url?: string;
  apiKey?: string;
  /** Session cookies, as a Cookie header. */
  session?: string;
}

export interface ClientWork<Result> {
  /** Name of the command; prefix of each line of progress. */
  name: string;
  values: ClientValues;
  /** Whether the work sends no requests, so that no registry is required. */
  isOffline?: boolean;
  work(registry: RegistryOptions, onProgress: (progress: Progress) => void): Promise<Result>;
  /** Formats the result for people. */
  describe(result: Result): string;
}

/** Path of the settings that berth login saves. */
export function settingsFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'berth', 'config.json');
}

/**
 * Resolves the registry and the key from options, environment and saved settings.
 * @throws Error if no registry is given, its address is invalid, or the saved settings are unreadable
 */
export function resolveRegistry(
  { 'url': url, 'api-key': apiKey }: ClientValues,
  env: NodeJS.ProcessEnv = process.env,
): RegistryOptions {
  const file = settingsFile(env);
  const saved = readSettings(file);
  const variable = url === undefined ? readVariable('BERTH_URL', env) : undefined;
  const address = url ?? variable ?? saved.url;
  if (!address) throw new Error('missing registry: set --url or BERTH_URL, or run berth login');
  const registryUrl = normaliseUrl(address, variable === undefined ? undefined : 'BERTH_URL');
  // A saved key is never sent to another registry.
  const savedKey = saved.url === undefined || registryUrl === saved.url ? saved.apiKey : undefined;
  const key =
    cleanKey(apiKey, '--api-key') ?? readKey('BERTH_API_KEY', env) ?? cleanKey(savedKey, `the key in ${file}`);
  return { registryUrl, ...(key && { apiKey: key }) };
}

/**
 * Normalises the address of a registry; removes the path of its API.
 * @param source the variable that the address comes from, if any
 * @throws Error if it is not an HTTP URL
 */
export function normaliseUrl(url: string, source?: string): string {
  const address = url.trim();
  if (!/^https?:\/\/[^/?#\s]+[^?#\s]*$/.test(address) || !URL.canParse(address)) {
    const given = source === undefined ? `${address} is` : `${source} is ${JSON.stringify(address)}, which is`;
    throw new Error(`${given} not the address of a registry: expected a URL such as https://registry.example.org`);
  }
  return address.replace(/\/+$/, '').replace(/\/api(\/v1)?$/, '');
}

/** Runs the work until Ctrl-C; the result goes to standard output, progress to standard error. */
export async function runClient<Result>({
  name,
  values,
  isOffline = false,
  work,
  describe,
}: ClientWork<Result>): Promise<Result> {
  const registry = isOffline ? { registryUrl: '' } : resolveRegistry(values);
  const result = await runInterruptibly({
    name,
    isQuiet: values.quiet === true,
    interruption: 'interrupted',
    work: ({ onProgress, signal }) => work({ ...registry, signal }, onProgress),
  }).catch((error: unknown) => {
    throw isHiddenWithoutKey(error, registry) ? new Error(`${error.message} ${WITHOUT_KEY}`, { cause: error }) : error;
  });
  print(values.json ? JSON.stringify(result) : describe(escapeValues(result)));
  return result;
}

/** A session serves the administration commands alone. */
const WITHOUT_KEY = 'No API key was sent, and without one only public artefacts are found: set BERTH_API_KEY.';

function isHiddenWithoutKey(error: unknown, { apiKey }: RegistryOptions): error is RegistryError {
  return apiKey === undefined && error instanceof RegistryError && error.code === 'artefact_not_found';
}

/** Reads the saved settings; empty if there are none. @throws Error if the file is not valid JSON */
export function readSettings(file: string): SavedSettings {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return {};
  }
  try {
    const saved = JSON.parse(text) as SavedSettings | null;
    const texts = (['url', 'apiKey', 'session'] as const).flatMap((name) =>
      typeof saved?.[name] === 'string' ? [[name, saved[name]]] : [],
    );
    return Object.fromEntries(texts) as SavedSettings;
  } catch {
    throw new Error(`${file} is not valid JSON: remove it and run berth login again`);
  }
}
