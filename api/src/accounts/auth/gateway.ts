// Hands a call to better-auth with the real address of the client, and audits what came of it.

import type { IncomingHttpHeaders } from 'node:http';
import { ANONYMOUS } from '../../access/index.ts';
import { appendAudit, type AuditEvent } from '../../audit/index.ts';
import type { Database } from '../../db/index.ts';
import { normalizeEmail } from '../operations.ts';
import { MAX_EMAIL_LENGTH } from '../schemas.ts';
import type { SessionAuthenticator } from '../sessions/authenticator.ts';
import type { Auth } from './auth.ts';
import { CLIENT_ADDRESS_HEADER, REQUEST_ORIGIN_HEADER, type AuthCall } from './calls.ts';

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

export interface AuthGateway { handle(request: AuthRequest): Promise<Response> }

export interface AuthGatewayOptions { database: Database; publicUrl: string; loadAuth: () => Promise<Auth>; sessions: SessionAuthenticator }

const TOO_MANY_REQUESTS = 429;

export function createAuthGateway({ database, publicUrl, loadAuth, sessions }: AuthGatewayOptions): AuthGateway {
  return {
    async handle(request) {
      const { action } = request.call;
      const before = action === undefined ? undefined : await sessions.identify(request.headers);
      const auth = await loadAuth();
      const response = await auth.handler(toFetchRequest(request, publicUrl));
      // Attempts over the limit would fill the log at the pace of whoever makes them.
      if (action === undefined || response.status === TOO_MANY_REQUESTS) return response;
      const caller = action === 'session.sign-in' ? await sessions.identify({ cookie: cookiesOf(response) }) : before;
      const target = caller ? { targetType: 'session' as const, targetId: caller.sessionId } : signInTarget(request);
      if (target) await appendAudit(database.db, { caller: caller ?? ANONYMOUS, ip: request.ip, requestId: request.requestId }, { action, ...target, outcome: outcomeOf(response) });
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
  return new Request(`${publicUrl}/api/auth${call.path}${search}`, { method: call.method, headers: fetchHeaders, ...(body?.length && { body: new Uint8Array(body) }) });
}

/** What an answer sets, as the next request would send it. */
function cookiesOf(response: Response): string {
  return response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] ?? '').join('; ');
}

function outcomeOf({ status }: Response): 'success' | 'refused' | 'failed' {
  return status < 400 ? 'success' : status < 500 ? 'refused' : 'failed';
}

/** Whom somebody tried to sign in as; what is no address is not kept, since passwords are typed into the wrong field. */
function signInTarget({ call, body }: AuthRequest): Pick<AuditEvent, 'targetType' | 'targetId'> | undefined {
  if (call.action !== 'session.sign-in') return undefined;
  const email = emailIn(body);
  return { targetType: 'user', targetId: email.includes('@') ? normalizeEmail(email).replace(/\p{Cc}/gu, '').slice(0, MAX_EMAIL_LENGTH) : 'unknown' };
}

function emailIn(body: Buffer | undefined): string {
  let parsed: unknown;
  try { parsed = JSON.parse(body?.toString('utf8') ?? ''); } catch { return ''; }
  const email = typeof parsed === 'object' && parsed !== null && 'email' in parsed ? parsed.email : undefined;
  return typeof email === 'string' ? email : '';
}
