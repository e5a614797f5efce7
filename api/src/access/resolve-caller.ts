// From a request to its Caller: internal secret, API key, session, anonymous, in this order and without
// falling back from one to the next. How keys and sessions are checked is handed in by app.ts.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  ANONYMOUS,
  type Account,
  type Caller,
  type InternalCaller,
  type ReadKeyCaller,
  type UploadKeyCaller,
  type UserCaller,
} from './caller.ts';
import {
  AccountHeaderInvalidError,
  ApiKeyInvalidError,
  CrossOriginError,
  SecretKeyThroughProxyError,
  SecretKeyWrongError,
  SessionReadOnlyError,
} from './errors.ts';
import { ACCOUNT_FIELD_PATTERN, MAX_ACCOUNT_FIELD_LENGTH } from './schemas.ts';

/** What of a request decides who is asking. */
export interface CallerRequest {
  method: string;
  headers: IncomingHttpHeaders;
  /** Host that the client addressed: the trusted proxy's forwarded host, else the `Host` header. */
  host: string;
  /** Address of the client, forwarding headers of trusted proxies followed. */
  ip: string;
}

export interface Authenticators {
  /** Resolves the caller of a raw key, or undefined when it is unknown or expired. */
  apiKey: (rawKey: string) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /** Resolves the caller of the session cookie, or undefined without a session that holds. */
  session: (headers: IncomingHttpHeaders) => Promise<UserCaller | undefined>;
  /** Counts a key that nobody knows. @throws too_many_attempts */
  countUnknownKey: (ip: string) => Promise<void>;
  /** The internal secret; empty or undefined: internal access is off. */
  internalSecret: string | undefined;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const ACCOUNT_FIELD = new RegExp(ACCOUNT_FIELD_PATTERN, 'u');

/**
 * Works out who is asking.
 * @throws secret_key_through_proxy, secret_key_wrong, account_header_invalid, api_key_invalid, too_many_attempts,
 *   cross_origin, session_read_only, and what the session check does /
 */
export async function resolveCaller(request: CallerRequest, authenticators: Authenticators): Promise<Caller> {
  const secretKey = headerValue(request.headers, 'x-secret-key');
  if (secretKey !== undefined) return resolveInternal(request, secretKey, authenticators.internalSecret);

  const rawKey = headerValue(request.headers, 'x-api-key') ?? bearerToken(request.headers.authorization);
  if (rawKey !== undefined) {
    const caller = await authenticators.apiKey(rawKey);
    if (!caller) await authenticators.countUnknownKey(request.ip);
    if (!caller)
      throw new ApiKeyInvalidError(
        'This API key is unknown, revoked or expired: ask an administrator of the registry for a new one.',
      );
    return caller;
  }

  if (request.headers.cookie === undefined) return ANONYMOUS;
  const caller = await authenticators.session(request.headers);
  if (!caller) return ANONYMOUS;
  assertSameOrigin(request);
  if (caller.isReadOnly && !SAFE_METHODS.has(request.method))
    throw new SessionReadOnlyError(
      'You look at the registry as somebody else, and may only read: go back to your own session to change things.',
    );
  return caller;
}

/**
 * Refuses a request that changes state and that a page of another origin sent with the user's cookie.
 * Requests without `Origin` and `Sec-Fetch-Site` come from programs, not from pages, and pass.
 * @throws cross_origin
 */
export function assertSameOrigin({ method, headers, host }: Omit<CallerRequest, 'ip'>): void {
  if (SAFE_METHODS.has(method)) return;
  const site = headerValue(headers, 'sec-fetch-site');
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const { origin } = headers;
  // Any Forwarded header will do: a page of another origin cannot make a browser send one unasked.
  const foreignOrigin =
    origin !== undefined && ![host, forwardedHost(headers) ?? host].some((own) => isAtHost(origin, own));
  if (foreignSite || foreignOrigin)
    throw new CrossOriginError(
      "A signed-in session may change things only from the registry's own pages: open the registry itself, or " +
        'use an API key.',
    );
}

function resolveInternal({ headers }: CallerRequest, secretKey: string, expected: string | undefined): InternalCaller {
  if (cameThroughProxy(headers)) {
    throw new SecretKeyThroughProxyError(
      'The internal secret is not accepted through the public proxy: call the registry at its internal address.',
    );
  }
  if (!expected || !equalInConstantTime(secretKey, expected)) {
    throw new SecretKeyWrongError(
      'The internal secret is wrong, or internal access is off: compare it with SECRET_INTERNAL_SERVICES of ' +
        'the registry.',
    );
  }
  const account = headerValue(headers, 'x-account');
  return account === undefined ? { kind: 'internal' } : { kind: 'internal', account: parseAccount(account) };
}

/** Tells whether a public proxy forwarded the request: it names the host that the client asked for. */
export function cameThroughProxy(headers: IncomingHttpHeaders): boolean {
  return headers['x-forwarded-host'] !== undefined || forwardedHost(headers) !== undefined;
}

/** Returns the host of a `Forwarded` header (RFC 7239, section 4), as the proxy next to the client wrote it. */
function forwardedHost(headers: IncomingHttpHeaders): string | undefined {
  const [, quoted, token] =
    /(?:^|[;,\s])host\s*=\s*(?:"([^"]*)"|([^;,\s]*))/i.exec(headerValue(headers, 'forwarded') ?? '') ?? [];
  return quoted ?? token;
}

/** Takes as long whatever the given text holds: it is compared as if it had the expected length. */
function equalInConstantTime(given: string, expected: string): boolean {
  const expectedBytes = Buffer.from(expected);
  const givenBytes = Buffer.alloc(expectedBytes.length);
  givenBytes.write(given);
  return timingSafeEqual(givenBytes, expectedBytes) && Buffer.byteLength(given) === expectedBytes.length;
}

function parseAccount(header: string): Account {
  const invalid = new AccountHeaderInvalidError(
    'x-account must be JSON such as {"type":"organization","id":"acme","department":"geo"}, with type "user" or ' +
      '"organization" and a non-empty id.',
  );
  let value: unknown;
  try {
    value = JSON.parse(decodeHeader(header));
  } catch {
    throw invalid;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid;
  const { type, id, name, department } = value as Record<string, unknown>;
  if ((type !== 'user' && type !== 'organization') || !isText(id) || id === '') throw invalid;
  if (
    (name !== undefined && name !== null && !isText(name)) ||
    (department !== undefined && department !== null && !isText(department))
  )
    throw invalid;
  if (type === 'user' && department) throw invalid;
  return { type, id, ...(name ? { name } : {}), ...(department ? { department } : {}) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ACCOUNT_FIELD_LENGTH && ACCOUNT_FIELD.test(value);
}

/** Node reads header bytes as Latin-1; clients that send UTF-8 mean UTF-8. */
function decodeHeader(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? header : text;
}

function headerValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Anything after `Bearer` counts as a key, so that a mangled one is refused and not taken for anonymous. */
function bearerToken(authorization: string | undefined): string | undefined {
  return authorization !== undefined && /^bearer(\s|$)/i.test(authorization)
    ? authorization.slice('bearer'.length).trim()
    : undefined;
}

/** Compares hosts as the origin's scheme writes them: in lower case, without that scheme's own port. */
function isAtHost(origin: string, host: string): boolean {
  const theirs = URL.parse(origin);
  return theirs !== null && theirs.host !== '' && theirs.host === URL.parse(`${theirs.protocol}//${host}`)?.host;
}
