// The session cookie as better-auth signs it: `<token>.<HMAC-SHA-256 of the token under AUTH_SECRET, base64>`,
// URL-encoded.

import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SessionCookies {
  /** Reads the session token; undefined without one whose signature holds. */
  readToken(headers: IncomingHttpHeaders): string | undefined;
  /**
   * Tells whether the user asked not to be remembered: such a session ends with the browser and is never prolonged.
   */
  isForgetful(headers: IncomingHttpHeaders): boolean;
}

/** @param secure whether PUBLIC_URL is https: the names of the cookies start with `__Secure-` then. */
export function createSessionCookies({ secret, secure }: { secret: string; secure: boolean }): SessionCookies {
  const key = createSecretKey(secret, 'utf8');
  const prefix = secure ? '__Secure-better-auth.' : 'better-auth.';
  const readSigned = (headers: IncomingHttpHeaders, name: string): string | undefined => {
    const value = readCookie(headers.cookie ?? '', prefix + name);
    const dot = value?.lastIndexOf('.') ?? -1;
    if (value === undefined || dot < 1) return undefined;
    const signed = value.slice(0, dot);
    const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64'));
    const given = Buffer.from(value.slice(dot + 1));
    return given.length === expected.length && timingSafeEqual(given, expected) ? signed : undefined;
  };
  return {
    readToken: (headers) => readSigned(headers, 'session_token'),
    isForgetful: (headers) => readSigned(headers, 'dont_remember') !== undefined,
  };
}

/** The first cookie of that name, as better-auth takes it, unquoted and URL-decoded. */
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
