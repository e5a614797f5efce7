// What the commands of administrators have in common: the session of berth login --email, and JSON over the API.

import { readSaved, resolveRegistry, settingsFile, type ClientValues } from './client.ts';

export interface AdminApi {
  /** Asks a route below /api/v1. @throws Error with what the registry says */
  ask<Answer>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
}

/** What a registry refuses, in its words. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** Of the problem document, such as `sync_running`; undefined where the answer is none. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

const TIMEOUT_MS = 30_000;

/** @throws Error that says to sign in */
export function openAdminApi(values: ClientValues): AdminApi {
  const { registryUrl } = resolveRegistry(values);
  const saved = readSaved(settingsFile());
  const { session } = saved.url === registryUrl ? saved : {};
  if (session === undefined)
    throw new Error(`this needs a session: run berth login ${registryUrl} --email you@example.org`);
  return { ask: (method, path, body) => askJson(registryUrl, method, `/api/v1${path}`, { cookie: session }, body) };
}

/**
 * One request with a JSON answer; undefined where there is none.
 * @throws Error with what the registry says, or why it cannot be reached
 */
export async function askJson<Answer>(
  registryUrl: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Answer> {
  const { answer } = await request<Answer>(registryUrl, method, path, headers, body);
  return answer;
}

/** As askJson, with the cookies that the answer sets, as the next request would send them. */
export async function request<Answer>(
  registryUrl: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<{ answer: Answer; cookies: string }> {
  let response: Response;
  try {
    response = await fetch(`${registryUrl}${path}`, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Error(
      `the registry at ${registryUrl} cannot be ` +
        `reached: ${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)}`,
      { cause: error },
    );
  }
  const text = await response.text();
  const answer = parse(text);
  if (!response.ok)
    throw new RefusedError(
      reasonIn(answer) ?? `the registry at ${registryUrl} answered with ${response.status}`,
      (answer as { code?: string } | undefined)?.code,
    );
  const cookies = response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
  return { answer: answer as Answer, cookies };
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentence of a problem document, with what it says of each field. */
function reasonIn(answer: unknown): string | undefined {
  const { detail, errors } = (answer ?? {}) as { detail?: unknown; errors?: { path: string; message: string }[] };
  if (typeof detail !== 'string') return undefined;
  return Array.isArray(errors)
    ? `${detail} ${errors.map(({ path, message }) => `${path.replace(/^\//, '')} ${message}`).join('; ')}`
    : detail;
}
