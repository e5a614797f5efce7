// Shared by the administration commands: the session of berth login --email, and JSON requests to the API.

import { describeConnectionFailure, describeOtherAnswer, fetchDirectly } from '@berth-registry/lib-node';
import { readSettings, resolveRegistry, settingsFile, type ClientValues } from './client.ts';
import { escapeValues } from './terminal.ts';

export interface AdminApi {
  /** Sends a request to a path below /api/v1. @throws ApiError if the registry refuses it */
  request<Body>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Body>;
}

/** A request that the registry refused, with the registry's message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Code of the problem document, such as `sync_running`; undefined if the response is not one. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

const TIMEOUT_MS = 30_000;

/**
 * Opens the API with the saved session. What it returns is to be shown to people, unless `values` ask for JSON: then
 * it is unchanged.
 * @throws Error if there is none for this registry
 */
export function openAdminApi(values: ClientValues): AdminApi {
  const { registryUrl } = resolveRegistry(values);
  const saved = readSettings(settingsFile());
  const { session } = saved.url === registryUrl ? saved : {};
  if (session === undefined)
    throw new Error(`this command requires a session: run berth login ${registryUrl} --email you@example.org`);
  return {
    async request<Body>(method: string, path: string, body?: unknown) {
      const answer = await requestJson<Body>(registryUrl, method, `/api/v1${path}`, { cookie: session }, body);
      return values.json ? answer : escapeValues(answer);
    },
  };
}

/**
 * Sends a request and returns the JSON body of the response; undefined if there is none.
 * @throws ApiError if the registry refuses the request; Error if it cannot be reached
 */
export async function requestJson<Body>(
  registryUrl: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Body> {
  return (await requestWithCookies<Body>(registryUrl, method, path, headers, body)).body;
}

/** As requestJson; also returns the cookies that the response sets, as a Cookie header. */
export async function requestWithCookies<Body>(
  registryUrl: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<{ body: Body; cookies: string }> {
  const url = new URL(`${registryUrl}${path}`);
  let response: Response;
  let text: string;
  try {
    response = await fetchDirectly(url, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await response.text();
  } catch (error) {
    throw new Error(describeConnectionFailure(url, error, registryUrl), { cause: error });
  }
  const content = parse(text);
  if (!response.ok || (content === undefined && text !== ''))
    throw new ApiError(
      problemMessage(content) ??
        `${registryUrl} responded with status ${response.status}: ${describeOtherAnswer(url, response.status, text)}`,
      (content as { code?: string } | undefined)?.code,
    );
  const cookies = response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
  return { body: content as Body, cookies };
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Formats the detail of a problem document with its errors by field, in one line; undefined if it is not one. */
function problemMessage(content: unknown): string | undefined {
  const { detail, errors } = (content ?? {}) as { detail?: unknown; errors?: unknown };
  if (typeof detail !== 'string') return undefined;
  const fields = (Array.isArray(errors) ? (errors as { path?: unknown; message?: unknown }[]) : []).map(
    ({ path, message }) => `${String(path).replace(/^\//, '')} ${String(message)}`,
  );
  return [detail, ...(fields.length > 0 ? [fields.join('; ')] : [])].join(' ').replace(/\s+/g, ' ');
}
