// Builds the request that better-auth gets: only the parts that it needs, so that nothing is read in two ways.

import type { IncomingHttpHeaders } from 'node:http';
import { CLIENT_ADDRESS_HEADER, REQUEST_ORIGIN_HEADER, type AuthCall } from './calls.ts';
import type { AuthFields } from './fields.ts';

export interface AuthRequest {
  call: AuthCall;
  headers: IncomingHttpHeaders;
  /** Query string of a GET including `?`, else empty. */
  search: string;
  /** Undefined without a body. */
  fields: AuthFields | undefined;
  /** IP address of the client, after the forwarding headers of trusted proxies. */
  ip: string;
  /** Origin that the client addressed. */
  origin: string;
  requestId: string;
  /** Runs work once the response was sent, or the client has gone. */
  later: (work: () => void) => void;
  log: { warn(message: string): void; info(message: string): void };
}

export const SESSION_COOKIE = 'session_token';
export const SECOND_FACTOR_COOKIE = 'two_factor';
/** Made by releases that let users skip the second factor on devices that they trusted. */
const TRUSTED_DEVICE_COOKIE = 'trust_device';

/** @param without names of cookies that better-auth does not get, after its prefix */
export function toFetchRequest(
  { call, headers, search, fields, ip, origin }: AuthRequest,
  publicUrl: string,
  without: readonly string[],
): Request {
  const fetchHeaders = new Headers({
    'cookie': cookiesWithout(headers.cookie ?? '', [...without, TRUSTED_DEVICE_COOKIE]),
    'user-agent': headers['user-agent'] ?? '',
    [CLIENT_ADDRESS_HEADER]: ip,
    [REQUEST_ORIGIN_HEADER]: origin,
  });
  if (fields) fetchHeaders.set('content-type', 'application/json');
  return new Request(`${publicUrl}/api/auth${call.path}${search}`, {
    method: call.method,
    headers: fetchHeaders,
    ...(fields && { body: JSON.stringify(fields) }),
  });
}

/** Returns the cookies that a response sets, in the form of a Cookie header. */
export function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

function cookiesWithout(header: string, names: readonly string[]): string {
  return header
    .split(';')
    .filter((pair) => !names.some((name) => pair.split('=', 1)[0]?.trim().endsWith(`better-auth.${name}`)))
    .join(';');
}
