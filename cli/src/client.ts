// What the commands that speak to a registry have in common: which one, with which key, and how what they do is shown.

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RegistryOptions } from '@berth-registry/lib-node';
import { print, runInterruptibly } from './interruptible.ts';
import type { Progress } from './progress.ts';

/** Options of every such command. */
export const CLIENT_OPTIONS = {
  'url': { type: 'string' },
  'api-key': { type: 'string' },
  'json': { type: 'boolean' },
  'quiet': { type: 'boolean' },
} as const;
export const CLIENT_TEXTS = {
  'url': 'address of the registry, without /api/v1',
  'api-key': 'API key; better in BERTH_API_KEY, as others on this machine can read command lines',
  'json': 'print the result as JSON, for scripts; its fields stay',
  'quiet': 'show no progress',
};
/** Ends the description of each. */
export const ABOUT_REGISTRY =
  'The registry is that of --url, else of BERTH_URL, else of berth login; the key that of --api-key, else of ' +
  'BERTH_API_KEY, else of berth login.';

/** Options of the commands of administrators. */
export const ADMIN_OPTIONS = { url: { type: 'string' }, json: { type: 'boolean' } } as const;
export const ADMIN_TEXTS = { url: CLIENT_TEXTS.url, json: CLIENT_TEXTS.json };
export const ABOUT_SESSION =
  'It needs the session of berth login URL --email ADDRESS. The registry is that of --url, else of BERTH_URL, ' +
  'else of berth login.';

export interface ClientValues {
  'url'?: string | undefined;
  'api-key'?: string | undefined;
  'json'?: boolean | undefined;
  'quiet'?: boolean | undefined;
}

/** What berth login has written down. */
export interface SavedSettings {
  url?: string;
  apiKey?: string;
  /** Cookies of a session. */
  session?: string;
}

export interface ClientWork<Result> {
  /** Of the command, before each line of progress. */
  name: string;
  values: ClientValues;
  /** Asks no registry: none need be named. */
  isOffline?: boolean;
  work(registry: RegistryOptions, onProgress: (progress: Progress) => void): Promise<Result>;
  /** Says what came of it, for people. */
  say(result: Result): string;
}

/** Where berth login keeps what it is told. */
export function settingsFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'berth', 'config.json');
}

/** @throws Error that says which registry, or which file, is missing or wrong */
export function resolveRegistry(
  { 'url': url, 'api-key': apiKey }: ClientValues,
  env: NodeJS.ProcessEnv = process.env,
): RegistryOptions {
  const saved = readSaved(settingsFile(env));
  const given = url ?? env['BERTH_URL'] ?? saved.url;
  if (!given) throw new Error('which registry? Give --url or BERTH_URL, or run berth login once');
  const registryUrl = toAddress(given);
  // A key that was saved for one registry is not for another.
  const savedKey = saved.url === undefined || registryUrl === saved.url ? saved.apiKey : undefined;
  const key = apiKey ?? env['BERTH_API_KEY'] ?? savedKey;
  return { registryUrl, ...(key && { apiKey: key }) };
}

/** Brings the address of a registry to its one form. @throws Error when it is none */
export function toAddress(url: string): string {
  if (!/^https?:\/\/[^/?#]+/.test(url))
    throw new Error(`${url} is no address of a registry, such as https://registry.example.org`);
  return url.replace(/\/+$/, '');
}

/** Does the work until Ctrl-C; the result goes to the standard output, progress to the standard error. */
export async function runClient<Result>({
  name,
  values,
  isOffline = false,
  work,
  say,
}: ClientWork<Result>): Promise<Result> {
  const registry = isOffline ? { registryUrl: '' } : resolveRegistry(values);
  const result = await runInterruptibly({
    name,
    isQuiet: values.quiet === true,
    interruption: 'interrupted',
    work: ({ onProgress, signal }) => work({ ...registry, signal }, onProgress),
  });
  print(values.json ? JSON.stringify(result) : say(result));
  return result;
}

/** What is kept, or nothing. @throws Error that names a file which cannot be read */
export function readSaved(file: string): SavedSettings {
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
    throw new Error(`${file} cannot be read as JSON: remove it and run berth login again`);
  }
}
