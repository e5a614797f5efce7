// Forwards calls to better-auth with the real client address, limits failed sign-ins, and audits the outcome.

import { ANONYMOUS, type UserCaller } from '../../access/index.ts';
import type { AuditEvent } from '../../audit/index.ts';
import type { Database } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { OidcUnavailableError } from '../errors.ts';
import type { SyncClaims } from '../oidc/sync.ts';
import { normalizeEmail } from '../operations.ts';
import { MAX_EMAIL_LENGTH } from '../schemas.ts';
import type { SessionAuthenticator } from '../sessions/authenticator.ts';
import type { SessionCookies } from '../sessions/session-cookie.ts';
import type { Auth } from './auth.ts';
import type { AuthCalls, Profile } from './call-context.ts';
import {
  CODE_VERIFICATION,
  OIDC_CALLBACK,
  OIDC_SIGN_IN,
  PASSWORD_CHANGE,
  PASSWORD_RESET_REQUEST,
  SECOND_FACTOR,
  SIGN_IN,
} from './calls.ts';
import { cookiesOf, SECOND_FACTOR_COOKIE, SESSION_COOKIE, toFetchRequest, type AuthRequest } from './fetch-request.ts';
import { textOf } from './fields.ts';
import { awaitsSecondFactor, type Guesses } from './guesses.ts';
import { findPendingUser, isMailedToken } from './load-auth.ts';
import type { PasswordResets } from './password-resets.ts';
import { providerText } from './provider-log.ts';
import { collectFailedRequests } from './provider-requests.ts';
import { assertPasswordStands } from './session-guard.ts';
import type { StrangerEvents } from './stranger-events.ts';

export interface AuthGateway {
  handle(request: AuthRequest): Promise<Response>;
}

export interface AuthGatewayOptions {
  database: Database;
  publicUrl: string;
  loadAuth: () => Promise<Auth>;
  sessions: SessionAuthenticator;
  cookies: SessionCookies;
  guesses: Guesses;
  /** Undefined without a mail server. */
  passwordResets: PasswordResets | undefined;
  authCalls: AuthCalls;
  strangers: StrangerEvents;
  /** Applies the claims of the OpenID provider to the user. */
  syncClaims?: SyncClaims | undefined;
}

const OIDC_PATHS: ReadonlySet<string> = new Set([OIDC_SIGN_IN, OIDC_CALLBACK]);
/** better-auth's code for a provider whose answers lack a person. */
const NO_PROFILE = 'unable_to_get_user_info';
const MAX_LOGGED = 1500;
const NOT_FOUND = 404;
const TOO_MANY_REQUESTS = 429;
const RESET_REQUESTED = 'If a user has this address, a link to set a new password is on its way there.';

export function createAuthGateway({
  database,
  publicUrl,
  loadAuth,
  sessions,
  cookies,
  guesses,
  passwordResets,
  authCalls,
  strangers,
  syncClaims,
}: AuthGatewayOptions): AuthGateway {
  async function answer(request: AuthRequest, caller: UserCaller | undefined): Promise<Response> {
    const { call, fields, headers } = request;
    if (call.path === PASSWORD_RESET_REQUEST && passwordResets) {
      await passwordResets.request(textOf(fields, 'email'), request);
      return Response.json({ status: true, message: RESET_REQUESTED });
    }
    const auth = await loadAuth();
    const forward = (...without: string[]) => auth.handler(toFetchRequest(request, publicUrl, without));
    if (call.guesses === 'address') return guesses.ofAddress(textOf(fields, 'email'), forward);
    if (call.guesses === undefined) return forward();
    // better-auth gets only the cookie by which the user was found here: it must check the user whose guesses count.
    if (caller) return ofUser(caller.user.id, () => forward(SECOND_FACTOR_COOKIE));
    const pending = cookies.readPendingSignIn(headers);
    const userId = pending === undefined ? undefined : await findPendingUser(auth, pending);
    if (userId === undefined) return forward(SESSION_COOKIE, SECOND_FACTOR_COOKIE);
    return ofUser(userId, () => forward(SESSION_COOKIE));

    function ofUser(id: string, send: () => Promise<Response>): Promise<Response> {
      return call.path === CODE_VERIFICATION
        ? guesses.ofCode(id, textOf(fields, 'code'), send)
        : guesses.ofUser(id, send);
    }
  }

  return {
    async handle(request) {
      const { action } = request.call;
      const callerBefore = action === undefined ? undefined : await sessions.identify(request.headers);
      const isOfProvider = OIDC_PATHS.has(request.call.path);
      const failedRequests: string[] = [];
      const send = () =>
        answer(request, callerBefore).catch((error: unknown) => {
          // better-auth expects an answer to each of its requests.
          if (request.call.path !== OIDC_CALLBACK || failedRequests.length === 0) throw error;
          return new Response(null, {
            status: 302,
            headers: { location: `${publicUrl}/sign-in?error=${NO_PROFILE}` },
          });
        });
      const { result: response, facts } = await authCalls.run(
        { ip: request.ip, requestId: request.requestId, isMailedReset: isMailedToken(request.fields?.['token']) },
        () => (isOfProvider ? collectFailedRequests(failedRequests, send) : send()),
      );
      const { profile, refusal } = facts;
      const failures = [...new Set([...providerErrorIn(request), ...failedRequests, ...(facts.failures ?? [])])];
      const started = await sessions.identify({ cookie: cookiesOf(response) });
      if (started) await assertPasswordStands(database, started, facts, request.call.path === PASSWORD_CHANGE);
      if (isOfProvider && failures.length > 0 && !started && refusal === undefined)
        request.log.warn(`a sign-in through the OpenID provider failed: ${failures.join('; ')}`.slice(0, MAX_LOGGED));
      // better-auth answers 404 until it has read the provider's configuration; it retries on each call.
      if (request.call.path === OIDC_SIGN_IN && response.status === NOT_FOUND)
        throw new OidcUnavailableError(
          'The OpenID provider does not answer, or not as one: try again in a moment, or sign in with a password. ' +
            'If it goes on failing, an administrator of the registry finds the reason in its log.',
        );
      // Not audited: attempts over the limit would flood the log.
      if (action === undefined || response.status === TOO_MANY_REQUESTS) return response;
      const caller = startsSession(action) ? started : callerBefore;
      const actor = { caller: caller ?? ANONYMOUS, ip: request.ip, requestId: request.requestId };
      const target = caller
        ? { targetType: 'session' as const, targetId: caller.sessionId }
        : signInTarget(request, profile);
      // The provider's callback redirects even when the sign-in was refused.
      const isRefused = startsSession(action) && !caller && !awaitsSecondFactor(response);
      if (target && (caller !== undefined || (await strangers.isRecorded(target.targetId, request.log))))
        await recordChange(database.db, actor, {
          action,
          ...target,
          outcome: isRefused && response.status < 400 ? 'refused' : outcomeOf(response),
        });
      if (profile && caller) {
        const ignored = await syncClaims?.(actor, caller.user.id, profile);
        if (ignored !== undefined) request.log.info(ignored);
      }
      return response;
    },
  };
}

/** Returns what the provider says in the address that it sends the browser to (RFC 6749, section 4.1.2.1). */
function providerErrorIn({ call, search }: AuthRequest): string[] {
  if (call.path !== OIDC_CALLBACK) return [];
  const parameters = new URLSearchParams(search);
  const [error, description] = ['error', 'error_description'].map((name) => parameters.get(name));
  if (!error) return [];
  const reason = description ? ` (${providerText(description)})` : '';
  return [`the provider answered ${providerText(error)}${reason}`];
}

function outcomeOf({ status }: Response): 'success' | 'refused' | 'failed' {
  return status < 400 ? 'success' : status < 500 ? 'refused' : 'failed';
}

/** Returns the user of a sign-in attempt. Values that are not addresses are not recorded: they may be passwords. */
function signInTarget(
  { call, fields }: AuthRequest,
  profile: Profile | undefined,
): Pick<AuditEvent, 'targetType' | 'targetId'> | undefined {
  if (!startsSession(call.action) && call.action !== 'user.reset-password') return undefined;
  return { targetType: 'user', targetId: toEmail(profile?.['email']) ?? toEmail(fields?.['email']) ?? 'unknown' };
}

/** Tells whether a successful call of this action may start a session. */
function startsSession(action: string | undefined): boolean {
  return action === SIGN_IN || action === SECOND_FACTOR;
}

function toEmail(email: unknown): string | undefined {
  return typeof email === 'string' && email.includes('@')
    ? normalizeEmail(email)
        .replace(/\p{Cc}/gu, '')
        .slice(0, MAX_EMAIL_LENGTH)
    : undefined;
}
