// The API, typed by its own description.

import createClient from 'openapi-fetch';
import type { paths } from './generated/schema.ts';

/** Where this registry is: `https://example.org/registry/`. */
export const registryUrl = new URL('./', document.baseURI);

/** Answers with `{ data, error, response }`; `answerOf` makes data or an ApiProblem of it. */
export const api = createClient<paths>({ baseUrl: registryUrl.href.replace(/\/$/, '') });

/** A path below the registry, its parts encoded: `pathTo('api/v1/artefacts', id, 'download')`. */
export function pathTo(prefix: string, ...parts: string[]): string {
  return new URL([prefix, ...parts.map(encodeURIComponent)].join('/'), registryUrl).href;
}

/** A refusal, as the problem document that the API answers with. */
export class ApiProblem extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** Stable code; `unreachable` when no answer came. */
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

/** @throws ApiProblem */
export async function answerOf<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) throw new ApiProblem(response.status, (typeof error === 'object' ? error : null) ?? {});
  return data as T;
}

/** For what `api` does not describe: text, uploads, signing in. @throws ApiProblem */
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
