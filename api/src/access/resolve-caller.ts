// Resolves the caller of a request from the internal secret, an API key or a session, in this order. Invalid
// credentials are refused, with no fallback to the next kind. app.ts passes in the authenticators.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Executor } from '../db/index.ts';
import {
  ANONYMOUS,
  normaliseAccount,
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
  SecretKeyThroughProxyError,
  SecretKeyWrongError,
  SessionReadOnlyError,
} from './errors.ts';
import { forwardedParameter, headerValue } from './headers.ts';
import { assertSameOrigin, SAFE_METHODS, type OriginRequest } from './same-origin.ts';
import { ACCOUNT_FIELD_PATTERN, MAX_ACCOUNT_FIELD_LENGTH } from './schemas.ts';

/** Parts of a request that determine its caller. */
export interface CallerRequest extends OriginRequest {
  /** IP address of the client, after the forwarding headers of trusted proxies. */
  ip: string;
}

export interface Authenticators {
  /** Resolves the caller of a raw key; undefined if it is unknown or expired. */
  apiKey: (rawKey: string) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /** Resolves the caller of the session cookie; undefined without a valid session. */
  session: (headers: IncomingHttpHeaders) => Promise<UserCaller | undefined>;
  /** Resolves the caller of a raw key as of now, see `Actor.reload`; undefined once it is no longer valid. */
  reloadApiKey: (rawKey: string, executor: Executor) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /** The same for a user; undefined once the session has ended. Absent if an identity service keeps the sessions. */
  reloadSession?: ((caller: UserCaller, executor: Executor) => Promise<UserCaller | undefined>) | undefined;
  /** Counts an unknown key against the address. @throws too_many_attempts */
  countUnknownKey: (ip: string) => Promise<void>;
  /** The internal secret; internal access is off if it is empty or undefined. */
  internalSecret: string | undefined;
  /** PUBLIC_URL, whose pages may use the session. */
  publicUrl: string;
}

const ACCOUNT_FIELD = new RegExp(ACCOUNT_FIELD_PATTERN, 'u');

/**
 * Resolves the caller of a request.
 * @throws secret_key_through_proxy, secret_key_wrong, account_header_invalid, api_key_invalid, too_many_attempts,
 *   cross_origin, session_read_only, and the errors of the session authenticator
 */
export async function resolveCaller(request: CallerRequest, authenticators: Authenticators): Promise<Caller> {
  const secretKey = headerValue(request.headers, 'x-secret-key');
  if (secretKey !== undefined) return resolveInternal(request, secretKey, authenticators.internalSecret);

  const rawKey = rawKeyOf(request.headers);
  if (rawKey !== undefined) {
    const caller = await authenticators.apiKey(rawKey);
    if (caller) return caller;
    await authenticators.countUnknownKey(request.ip);
    throw new ApiKeyInvalidError(
      'This API key is unknown, revoked or expired: ask an administrator of the registry for a new one.',
    );
  }

  if (request.headers.cookie === undefined) return ANONYMOUS;
  const caller = await authenticators.session(request.headers);
  if (!caller) return ANONYMOUS;
  assertSameOrigin(request, authenticators.publicUrl);
  if (caller.isReadOnly && !SAFE_METHODS.has(request.method))
    throw new SessionReadOnlyError(
      'This session of another user is read-only: return to your own session to change anything.',
    );
  return caller;
}

/** Returns the API key that a request sends. */
export function rawKeyOf(headers: IncomingHttpHeaders): string | undefined {
  return headerValue(headers, 'x-api-key') ?? bearerToken(headers.authorization);
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

/** Tells whether a public proxy forwarded the request; it then names the host that the client addressed. */
export function cameThroughProxy(headers: IncomingHttpHeaders): boolean {
  return headers['x-forwarded-host'] !== undefined || forwardedParameter(headers, 'host') !== undefined;
}

/** Compares in constant time: the given text is cut or padded to the expected length first. */
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
  return normaliseAccount({ type, id, ...(name ? { name } : {}), ...(department ? { department } : {}) });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ACCOUNT_FIELD_LENGTH && ACCOUNT_FIELD.test(value);
}

/** Node decodes header bytes as Latin-1; bytes that are valid UTF-8 are decoded as UTF-8 instead. */
function decodeHeader(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? header : text;
}

/** Returns whatever follows `Bearer`, so that a malformed key is refused instead of treated as anonymous. */
function bearerToken(authorization: string | undefined): string | undefined {
  return authorization !== undefined && /^bearer(\s|$)/i.test(authorization)
    ? authorization.slice('bearer'.length).trim()
    : undefined;
}
