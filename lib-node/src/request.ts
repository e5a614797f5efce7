// Sends a GET with the platform's fetch, or through a proxy: follows redirects itself, limits idle time, and turns
// every failure into a RegistryError. Retries are up to the callers (retry.ts).

import { describeConnectionFailure } from './connection-failure.ts';
import { RegistryError } from './errors.ts';
import { startIdleTimeout } from './idle-timeout.ts';
import type { IdleTimeout } from './idle-timeout.ts';
import { refusalError } from './problem.ts';
import { fetchDirectly } from './proxy.ts';
import type { Registry } from './registry.ts';
import { hasValidators, RegistryResponse } from './response.ts';

const MAX_REDIRECTS = 5;
/** Problem documents have some hundred bytes; of other error pages, the beginning says enough. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308]);

export interface RequestOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  artefactId?: string | undefined;
}

/**
 * Sends a GET and follows up to five redirects. Credentials are sent only to the registry's own origin (scheme, host
 * and port), and no longer once a redirect has left it.
 *
 * @throws RegistryError `unreachable` (status 0) without a response, `redirect_refused`, or the refusal of any status
 *   from 400 but 416
 */
export async function send(registry: Registry, target: URL, options: RequestOptions = {}): Promise<RegistryResponse> {
  const { signal, artefactId } = options;
  const registryOrigin = new URL(registry.url).origin;
  let url = target;
  let headers = options.headers ?? {};
  let redirect: Headers | undefined;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const idleTimeout = startIdleTimeout(registry.timeoutMs, signal);
    const isOwnOrigin = redirect === undefined;
    const sentHeaders = isOwnOrigin ? { ...headers, ...registry.credentials } : headers;
    const context = { idleTimeout, signal, artefactId, redirect };
    const response = new RegistryResponse(await fetchOnce(url, sentHeaders, idleTimeout, options), context);
    if (!REDIRECT_STATUS.has(response.status)) return await throwIfRefused(response, url, artefactId);
    await response.discard();
    url = nextUrl(url, response, artefactId);
    if (isOwnOrigin && url.origin !== registryOrigin) {
      redirect = response.headers;
      headers = conditionsForOtherOrigin(headers, response.headers);
    }
  }
  throw new RegistryError(`more than ${MAX_REDIRECTS} redirects from ${target.href}`, {
    status: 302,
    code: 'redirect_refused',
    artefactId,
  });
}

async function fetchOnce(
  url: URL,
  headers: Record<string, string>,
  idleTimeout: IdleTimeout,
  { signal, artefactId }: RequestOptions,
): Promise<Response> {
  try {
    return await fetchDirectly(url, { headers, signal: idleTimeout.signal });
  } catch (cause) {
    idleTimeout.stop();
    signal?.throwIfAborted();
    throw new RegistryError(describeConnectionFailure(url, cause), {
      status: 0,
      code: 'unreachable',
      artefactId,
      cause,
    });
  }
}

async function throwIfRefused(
  response: RegistryResponse,
  url: URL,
  artefactId: string | undefined,
): Promise<RegistryResponse> {
  if (response.status < 400 || response.status === 416) return response;
  throw refusalError({
    url,
    status: response.status,
    contentType: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    text: await response.text(MAX_REFUSAL_BYTES),
    artefactId,
  });
}

function nextUrl(from: URL, response: RegistryResponse, artefactId: string | undefined): URL {
  const location = response.headers.get('location') ?? '';
  if (location !== '' && URL.canParse(location, from.href)) {
    const url = new URL(location, from);
    if (/^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  }
  throw new RegistryError(`${from.href} redirects to an invalid or unsupported location`, {
    status: response.status,
    code: 'redirect_refused',
    artefactId,
  });
}

/**
 * Adapts a request to another origin (an S3 storage), which does not know the registry's validators: it gets no
 * conditions, unless the registry leaves the validators to it. If the redirect carries the expected ETag, the range is
 * sent without If-Range; otherwise the whole body is requested.
 */
function conditionsForOtherOrigin(headers: Record<string, string>, redirect: Headers): Record<string, string> {
  const { 'if-range': etag, range, 'if-none-match': match, 'if-modified-since': since, ...others } = headers;
  const conditions = { ...(match && { 'if-none-match': match }), ...(since && { 'if-modified-since': since }) };
  const rest = hasValidators(redirect) ? others : { ...others, ...conditions };
  return range !== undefined && etag !== undefined && redirect.get('etag') === etag ? { ...rest, range } : rest;
}
