// Reads better-auth's session cookie: `<token>.<HMAC-SHA-256 of the token under AUTH_SECRET, base64>`, URL-encoded.

import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SessionCookies {
  /** Reads the session token; undefined without a validly signed one. */
  readToken(headers: IncomingHttpHeaders): string | undefined;
  /** Reads the name of a sign-in that awaits its second factor; undefined without a validly signed one. */
  readPendingSignIn(headers: IncomingHttpHeaders): string | undefined;
  /** Tells whether the user chose not to be remembered: such a session ends with the browser and is never renewed. */
  isBrowserSession(headers: IncomingHttpHeaders): boolean;
}

/** @param secure whether PUBLIC_URL is https; cookie names then start with `__Secure-` */
export function createSessionCookies({ secret, secure }: { secret: string; secure: boolean }): SessionCookies {
  const key = createSecretKey(secret, 'utf8');
  const prefix = secure ? '__Secure-better-auth.' : 'better-auth.';
  const readSigned = (headers: IncomingHttpHeaders, name: string): string | undefined => {
    const value = readCookie(headers.cookie ?? '', prefix + name);
    const dot = value?.lastIndexOf('.') ?? -1;
    if (value === undefined || dot < 1) return undefined;
    const payload = value.slice(0, dot);
    const expected = Buffer.from(createHmac('sha256', key).update(payload).digest('base64'));
    const given = Buffer.from(value.slice(dot + 1));
    return given.length === expected.length && timingSafeEqual(given, expected) ? payload : undefined;
  };
  return {
    readToken: (headers) => readSigned(headers, 'session_token'),
    readPendingSignIn: (headers) => readSigned(headers, 'two_factor'),
    isBrowserSession: (headers) => readSigned(headers, 'dont_remember') !== undefined,
  };
}

/** Returns the first cookie with that name, unquoted and URL-decoded, as better-auth reads it. */
export function readCookie(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    try {
      return decodeURIComponent(value);
    } catch {
      return value;
    }
  }
  return undefined;
}
