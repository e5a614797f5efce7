// The registry of one call: base URL, credentials, retries and timeout.

import type { RegistryOptions } from './options.ts';
import type { AccountRef } from './types.ts';

export const DEFAULT_RETRIES = 5;
export const DEFAULT_TIMEOUT_MS = 30_000;

export interface Registry {
  /** Base URL without a trailing slash, and without the path of the API. */
  url: string;
  /** Authentication headers, which are sent to this registry's origin only. */
  credentials: Record<string, string>;
  retries: number;
  timeoutMs: number;
}

type QueryValue = string | number | boolean | undefined;

/** Makes a registry from validated options. Keys from files and variables often end with a line break. */
export function createRegistry(options: RegistryOptions): Registry {
  return {
    url: new URL(options.registryUrl).href.replace(/\/+$/, '').replace(/\/api(\/v1)?$/, ''),
    credentials: {
      ...(options.secretKey !== undefined && { 'x-secret-key': options.secretKey.trim() }),
      ...(options.apiKey !== undefined && { 'x-api-key': options.apiKey.trim() }),
      ...(options.account !== undefined && { 'x-account': encodeAccount(options.account) }),
    },
    retries: options.retries ?? DEFAULT_RETRIES,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}

/** Builds the URL of a route below `/api/v1`; each part becomes one encoded path segment. */
export function routeUrl(registry: Registry, parts: string[], query: Record<string, QueryValue> = {}): URL {
  const url = new URL(`${registry.url}/api/v1/${parts.map(encodeURIComponent).join('/')}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** Encodes an account as ASCII JSON, since header values are Latin-1 at best: `é` becomes `\u00e9`. */
function encodeAccount({ type, id, department }: AccountRef): string {
  return JSON.stringify({ type, id, department }).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
