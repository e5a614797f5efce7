// Client of the registry's API, typed by its OpenAPI document.

import createClient from 'openapi-fetch';
import type { paths } from './generated/schema.ts';

/** Base URL of this registry, such as `https://example.org/registry/`. */
export const registryUrl = new URL('./', document.baseURI);

/** Calls resolve with `{ data, error, response }`; `answerOf` returns the data or throws an ApiProblem. */
export const api = createClient<paths>({ baseUrl: registryUrl.href.replace(/\/$/, '') });

/** Returns a URL below the registry, with each part encoded: `pathTo('api/v1/artefacts', id, 'download')`. */
export function pathTo(prefix: string, ...parts: string[]): string {
  return new URL([prefix, ...parts.map(encodeURIComponent)].join('/'), registryUrl).href;
}

/** A failed request, with the fields of the API's problem document. */
export class ApiProblem extends Error {
  /** HTTP status; 0 without a response. */
  readonly status: number;
  /** Stable code; `unreachable` without a response. */
  readonly code: string;
  readonly errors: { path: string; message: string }[];

  constructor(
    status: number,
    {
      detail,
      message,
      code,
      errors = [],
    }: { detail?: string; message?: string; code?: string; errors?: { path: string; message: string }[] },
  ) {
    super(
      [detail ?? message ?? `Status ${status}`, ...errors.map((error) => `${error.path}: ${error.message}`)].join(
        '\n',
      ),
    );
    this.status = status;
    this.code = code ?? 'unknown';
    this.errors = errors;
  }
}

/** Returns the data of an API call. @throws ApiProblem */
export async function answerOf<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) throw new ApiProblem(response.status, (typeof error === 'object' ? error : null) ?? {});
  return data as T;
}

/** Fetches what `api` does not cover: text, uploads, sign-in. @throws ApiProblem */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) throw new ApiProblem(response.status, (await response.json().catch(() => ({}))) as object);
  return response;
}

/** Sends JSON to better-auth's own API, `sign-in/email` and the like. @throws ApiProblem */
export async function auth<T = unknown>(path: string, body: object = {}): Promise<T> {
  const response = await request(new URL(`api/auth/${path}`, registryUrl).href, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

function unreachable(cause: unknown): unknown {
  return cause instanceof DOMException && cause.name === 'AbortError'
    ? cause
    : new ApiProblem(0, { code: 'unreachable' });
}
