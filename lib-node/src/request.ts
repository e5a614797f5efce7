// One request by the platform's fetch: redirects followed by hand, silence bounded, every failure a RegistryError.
// What to ask for is decided in document.ts and download.ts; trying again in retry.ts.

import { Answer } from './answer.ts';
import { RegistryError } from './errors.ts';
import { refusalError } from './problem.ts';
import type { Registry } from './registry.ts';
import { watchSilence } from './silence.ts';
import type { SilenceWatch } from './silence.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface RequestOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  artefactId?: string | undefined;
}

/**
 * Sends a GET and follows up to five redirects. Credentials go to the registry's own origin (scheme, host and port)
 * and, once a redirect has left it, nowhere any more.
 *
 * @throws RegistryError `unreachable` (status 0) without an answer, `redirect_refused`, or the refusal of any status
 *   from 400 but 416 /
 */
export async function send(registry: Registry, target: URL, options: RequestOptions = {}): Promise<Answer> {
  const { signal, artefactId } = options;
  const home = new URL(registry.url).origin;
  let url = target;
  let headers = options.headers ?? {};
  let redirect: Headers | undefined;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const watch = watchSilence(registry.timeoutMs, signal);
    const atHome = redirect === undefined;
    const response = await fetchOnce(url, atHome ? { ...headers, ...registry.credentials } : headers, watch, options);
    const answer = new Answer(response, { watch, signal, artefactId, redirect });
    if (!REDIRECTS.has(answer.status)) return await acceptAnswer(answer, artefactId);
    await answer.discard();
    url = nextUrl(url, answer, artefactId);
    if (atHome && url.origin !== home) {
      redirect = answer.headers;
      headers = conditionsElsewhere(headers, answer.headers);
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
  watch: SilenceWatch,
  { signal, artefactId }: RequestOptions,
): Promise<Response> {
  try {
    return await fetch(url, { headers, redirect: 'manual', signal: watch.signal });
  } catch (cause) {
    watch.end();
    signal?.throwIfAborted();
    throw new RegistryError(`the registry at ${url.origin} cannot be reached: ${reasonOf(cause)}`, {
      status: 0,
      code: 'unreachable',
      artefactId,
      cause,
    });
  }
}

async function acceptAnswer(answer: Answer, artefactId: string | undefined): Promise<Answer> {
  if (answer.status < 400 || answer.status === 416) return answer;
  throw refusalError({
    status: answer.status,
    contentType: answer.headers.get('content-type'),
    retryAfter: answer.headers.get('retry-after'),
    text: await answer.text(),
    artefactId,
  });
}

function nextUrl(from: URL, answer: Answer, artefactId: string | undefined): URL {
  const location = answer.headers.get('location') ?? '';
  if (location !== '' && URL.canParse(location, from.href)) {
    const url = new URL(location, from);
    if (/^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  }
  throw new RegistryError(`${from.href} redirects to nowhere that can be followed`, {
    status: answer.status,
    code: 'redirect_refused',
    artefactId,
  });
}

/**
 * Another origin (an S3 storage) knows other ETags: the redirect's own says whether the bytes are still those that a
 * range continues, and then the range goes bare; otherwise the whole body is asked for. /
 */
function conditionsElsewhere(headers: Record<string, string>, redirect: Headers): Record<string, string> {
  const { 'if-range': etag, range, ...rest } = headers;
  return range !== undefined && etag !== undefined && redirect.get('etag') === etag ? { ...rest, range } : rest;
}

/** The deepest cause says what happened (`connect ECONNREFUSED …`); the outermost only "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error
    ? reasonOf(error.cause)
    : error.message || ('code' in error ? String(error.code) : error.name);
}
