// Hands a call to better-auth with the real address of the client, and audits what came of it.

import type { IncomingHttpHeaders } from 'node:http';
import { ANONYMOUS } from '../../access/index.ts';
import type { AttemptLimit } from '../../attempts/index.ts';
import { appendAudit, type AuditEvent } from '../../audit/index.ts';
import type { Database } from '../../db/index.ts';
import { OidcUnavailableError } from '../errors.ts';
import type { Profile, ProfileCarrier } from '../oidc/profile.ts';
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
  /** With its `?`, or empty. */
  search: string;
  body: Buffer | undefined;
  /** Address of the client, forwarding headers of trusted proxies followed. */
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
  /** Failed sign-ins to one account, from wherever they come. */
  failedSignIns: AttemptLimit;
  profiles: ProfileCarrier;
  /** Follows the claims of an OpenID provider. */
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
      const before = action === undefined ? undefined : await sessions.identify(request.headers);
      const address = request.call.path === PASSWORD_SIGN_IN ? addressIn(request.body) : undefined;
      // Known or not: who has no account here is told the same.
      if (address !== undefined) await failedSignIns.assertFree(address);
      const auth = await loadAuth();
      const { result: response, profile } = await profiles.run(() => auth.handler(toFetchRequest(request, publicUrl)));
      if (address !== undefined)
        await (response.ok
          ? failedSignIns.forget(address)
          : response.status === UNAUTHORIZED
            ? failedSignIns.count(address)
            : undefined);
      // better-auth knows the provider once its configuration could be read, and looks again each time.
      if (request.call.path === OIDC_SIGN_IN && response.status === NOT_FOUND)
        throw new OidcUnavailableError(
          'The OpenID provider does not answer: try again in a moment, or sign in with a password.',
          { headers: { 'retry-after': '10' } },
        );
      // Attempts over the limit would fill the log at the pace of whoever makes them.
      if (action === undefined || response.status === TOO_MANY_REQUESTS) return response;
      const caller = begins(action) ? await sessions.identify({ cookie: cookiesOf(response) }) : before;
      const actor = { caller: caller ?? ANONYMOUS, ip: request.ip, requestId: request.requestId };
      const target = caller
        ? { targetType: 'session' as const, targetId: caller.sessionId }
        : signInTarget(request, profile);
      // A provider's callback leads on whatever came of it.
      const isRefused = begins(action) && !caller && !isHalfWay(response);
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

/** What an answer sets, as the next request would send it. */
function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

function outcomeOf({ status }: Response): 'success' | 'refused' | 'failed' {
  return status < 400 ? 'success' : status < 500 ? 'refused' : 'failed';
}

/**
 * Whom somebody tried to sign in as; what is no address is not kept, since passwords are typed into the wrong field.
 */
function signInTarget(
  { call, body }: AuthRequest,
  profile: Profile | undefined,
): Pick<AuditEvent, 'targetType' | 'targetId'> | undefined {
  if (!begins(call.action) && call.action !== 'user.request-password-reset' && call.action !== 'user.reset-password')
    return undefined;
  return { targetType: 'user', targetId: toAddress(profile?.['email']) ?? addressIn(body) ?? 'unknown' };
}

/** Whether a session may come of it. */
function begins(action: string | undefined): boolean {
  return action === SIGN_IN || action === SECOND_FACTOR;
}

function addressIn(body: Buffer | undefined): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
  return typeof parsed === 'object' && parsed !== null && 'email' in parsed ? toAddress(parsed.email) : undefined;
}

function toAddress(email: unknown): string | undefined {
  return typeof email === 'string' && email.includes('@')
    ? normalizeEmail(email)
        .replace(/\p{Cc}/gu, '')
        .slice(0, MAX_EMAIL_LENGTH)
    : undefined;
}

/** The password was right, and a second factor is asked for. */
function isHalfWay(response: Response): boolean {
  return response.ok && response.headers.getSetCookie().some((cookie) => cookie.includes('two_factor='));
}
