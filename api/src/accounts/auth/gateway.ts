// Forwards calls to better-auth with the real client address, limits failed sign-ins, and audits the outcome.

import type { IncomingHttpHeaders } from 'node:http';
import { ANONYMOUS } from '../../access/index.ts';
import type { AttemptLimit } from '../../attempts/index.ts';
import { appendAudit, type AuditEvent } from '../../audit/index.ts';
import type { Database } from '../../db/index.ts';
import { OidcUnavailableError } from '../errors.ts';
import type { Profile, ProfileContext } from '../oidc/profile.ts';
import type { SyncClaims } from '../oidc/sync.ts';
import { normalizeEmail } from '../operations.ts';
import { MAX_EMAIL_LENGTH } from '../schemas.ts';
import type { SessionAuthenticator } from '../sessions/authenticator.ts';
import type { Auth } from './auth.ts';
import {
  CLIENT_ADDRESS_HEADER,
  OIDC_SIGN_IN,
  PASSWORD_SIGN_IN,
  REQUEST_ORIGIN_HEADER,
  SECOND_FACTOR,
  SIGN_IN,
  type AuthCall,
} from './calls.ts';

export interface AuthRequest {
  call: AuthCall;
  headers: IncomingHttpHeaders;
  /** Query string including `?`, or empty. */
  search: string;
  body: Buffer | undefined;
  /** IP address of the client, after the forwarding headers of trusted proxies. */
  ip: string;
  /** Origin that the client addressed. */
  origin: string;
  requestId: string;
}

export interface AuthGateway {
  handle(request: AuthRequest): Promise<Response>;
}

export interface AuthGatewayOptions {
  database: Database;
  publicUrl: string;
  loadAuth: () => Promise<Auth>;
  sessions: SessionAuthenticator;
  /** Limits failed sign-ins per account, from any address. */
  failedSignIns: AttemptLimit;
  profiles: ProfileContext;
  /** Applies the claims of the OpenID provider to the user. */
  syncClaims?: SyncClaims | undefined;
}

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;
const TOO_MANY_REQUESTS = 429;

export function createAuthGateway({
  database,
  publicUrl,
  loadAuth,
  sessions,
  failedSignIns,
  profiles,
  syncClaims,
}: AuthGatewayOptions): AuthGateway {
  return {
    async handle(request) {
      const { action } = request.call;
      const callerBefore = action === undefined ? undefined : await sessions.identify(request.headers);
      const email = request.call.path === PASSWORD_SIGN_IN ? readEmail(request.body) : undefined;
      // Unknown addresses count, too: the response must not reveal whether a user exists.
      if (email !== undefined) await failedSignIns.assertAllowed(email);
      const auth = await loadAuth();
      const { result: response, profile } = await profiles.run(() => auth.handler(toFetchRequest(request, publicUrl)));
      if (email !== undefined)
        await (response.ok
          ? failedSignIns.reset(email)
          : response.status === UNAUTHORIZED
            ? failedSignIns.countFailure(email)
            : undefined);
      // better-auth answers 404 until it has read the provider's configuration; it retries on each call.
      if (request.call.path === OIDC_SIGN_IN && response.status === NOT_FOUND)
        throw new OidcUnavailableError(
          'The OpenID provider does not answer: try again in a moment, or sign in with a password.',
          { headers: { 'retry-after': '10' } },
        );
      // Not audited: attempts over the limit would flood the log.
      if (action === undefined || response.status === TOO_MANY_REQUESTS) return response;
      const caller = startsSession(action) ? await sessions.identify({ cookie: cookiesOf(response) }) : callerBefore;
      const actor = { caller: caller ?? ANONYMOUS, ip: request.ip, requestId: request.requestId };
      const target = caller
        ? { targetType: 'session' as const, targetId: caller.sessionId }
        : signInTarget(request, profile);
      // The provider's callback redirects even when the sign-in was refused.
      const isRefused = startsSession(action) && !caller && !awaitsSecondFactor(response);
      if (target)
        await appendAudit(database.db, actor, {
          action,
          ...target,
          outcome: isRefused && response.status < 400 ? 'refused' : outcomeOf(response),
        });
      if (profile && caller) await syncClaims?.(actor, caller.user.id, profile);
      return response;
    },
  };
}

function toFetchRequest({ call, headers, search, body, ip, origin }: AuthRequest, publicUrl: string): Request {
  const fetchHeaders = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) fetchHeaders.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  fetchHeaders.set(CLIENT_ADDRESS_HEADER, ip);
  fetchHeaders.set(REQUEST_ORIGIN_HEADER, origin);
  return new Request(`${publicUrl}/api/auth${call.path}${search}`, {
    method: call.method,
    headers: fetchHeaders,
    ...(body?.length && { body: new Uint8Array(body) }),
  });
}

/** Returns the cookies that a response sets, in the form of a Cookie header. */
function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

function outcomeOf({ status }: Response): 'success' | 'refused' | 'failed' {
  return status < 400 ? 'success' : status < 500 ? 'refused' : 'failed';
}

/** Returns the user of a sign-in attempt. Values that are not addresses are not recorded: they may be passwords. */
function signInTarget(
  { call, body }: AuthRequest,
  profile: Profile | undefined,
): Pick<AuditEvent, 'targetType' | 'targetId'> | undefined {
  if (
    !startsSession(call.action) &&
    call.action !== 'user.request-password-reset' &&
    call.action !== 'user.reset-password'
  )
    return undefined;
  return { targetType: 'user', targetId: toEmail(profile?.['email']) ?? readEmail(body) ?? 'unknown' };
}

/** Tells whether a successful call of this action may start a session. */
function startsSession(action: string | undefined): boolean {
  return action === SIGN_IN || action === SECOND_FACTOR;
}

function readEmail(body: Buffer | undefined): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
  return typeof parsed === 'object' && parsed !== null && 'email' in parsed ? toEmail(parsed.email) : undefined;
}

function toEmail(email: unknown): string | undefined {
  return typeof email === 'string' && email.includes('@')
    ? normalizeEmail(email)
        .replace(/\p{Cc}/gu, '')
        .slice(0, MAX_EMAIL_LENGTH)
    : undefined;
}

/** Tells whether the password was right and the second factor is still required. */
function awaitsSecondFactor(response: Response): boolean {
  return response.ok && response.headers.getSetCookie().some((cookie) => cookie.includes('two_factor='));
}
