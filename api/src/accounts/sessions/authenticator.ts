// Resolves the caller of a session cookie with one query per request, so that a change of session, membership or role
// takes effect immediately. better-auth is called only to renew a session.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Account, UserCaller } from '../../access/index.ts';
import type { Database, Executor } from '../../db/index.ts';
import { isSuperadmin } from '../operations.ts';
import { accountRoleOf, mayActForDepartment, mayActForOrganization } from './operations.ts';
import { createFindSession, findSessionById, lockSession, type SessionRow } from './repository.ts';
import type { SessionCookies } from './session-cookie.ts';

/** A session expires a week after its last renewal; it is renewed at most once a day. */
export const SESSION_LIFETIME_SECONDS = 7 * 24 * 3600;
export const SESSION_RENEW_AFTER_SECONDS = 24 * 3600;

export interface SessionAuthenticator {
  /**
   * Resolves the caller of the session cookie; undefined if the session is unknown, forged or expired, or its user is
   * disabled or deleted.
   */
  identify(headers: IncomingHttpHeaders): Promise<UserCaller | undefined>;
  /** Like `identify`, and renews the session when due. */
  authenticate(headers: IncomingHttpHeaders): Promise<UserCaller | undefined>;
  /** Resolves the caller of the same session as of now, as `Actor.reload` does; undefined if it has ended. */
  reload(caller: UserCaller, executor: Executor): Promise<UserCaller | undefined>;
  /** Adds a hook that sends the cookies of renewed sessions with the responses of an app scope. */
  register(app: FastifyInstance): void;
}

export interface SessionAuthenticatorOptions {
  database: Database;
  cookies: SessionCookies;
  /** Renews the session through better-auth; returns `Set-Cookie` headers, or undefined if it has ended meanwhile. */
  renew: (headers: IncomingHttpHeaders) => Promise<string[] | undefined>;
}

export function createSessionAuthenticator({
  database,
  cookies,
  renew,
}: SessionAuthenticatorOptions): SessionAuthenticator {
  const findSession = createFindSession(database);
  // Keyed by the headers object, the only value that authenticate() and the response hook share.
  const renewedCookies = new WeakMap<IncomingHttpHeaders, string[]>();
  const findActive = async (headers: IncomingHttpHeaders): Promise<SessionRow | undefined> => {
    const token = cookies.readToken(headers);
    const row = token === undefined ? undefined : await findSession(token);
    return row && isActive(row, Date.now()) ? row : undefined;
  };
  return {
    async identify(headers) {
      const row = await findActive(headers);
      return row && toCaller(row);
    },

    async authenticate(headers) {
      const row = await findActive(headers);
      if (!row) return undefined;
      if (isRenewalDue(row, Date.now()) && !cookies.isBrowserSession(headers)) {
        const setCookies = await renew(headers);
        if (!setCookies) return undefined;
        renewedCookies.set(headers, setCookies);
      }
      return toCaller(row);
    },

    async reload({ sessionId }, executor) {
      if (executor.isTransaction) await lockSession(executor, sessionId, database.dialect);
      const row = await findSessionById(executor, sessionId);
      return row && isActive(row, Date.now()) ? toCaller(row) : undefined;
    },

    register(app) {
      // onRequest, because responses that bypass the framework's streams have no onSend.
      app.addHook('onRequest', (request, reply, done) => {
        for (const cookie of renewedCookies.get(request.headers) ?? []) reply.header('set-cookie', cookie);
        done();
      });
    },
  };
}

function isActive(row: SessionRow, now: number): boolean {
  const isDisabled = row.banned && (row.banExpires === null || new Date(row.banExpires).getTime() > now);
  return !isDisabled && new Date(row.expiresAt).getTime() >= now;
}

/** The same rule as better-auth's. */
function isRenewalDue(row: SessionRow, now: number): boolean {
  return new Date(row.expiresAt).getTime() - (SESSION_LIFETIME_SECONDS - SESSION_RENEW_AFTER_SECONDS) * 1000 <= now;
}

function toCaller(row: SessionRow): UserCaller {
  return {
    kind: 'user',
    sessionId: row.sessionId,
    user: { id: row.userId, name: row.userName, email: row.email },
    isAdmin: isSuperadmin(row.role),
    ...activeAccount(row),
  };
}

/** Returns the account that the session names if the user may still act for it, otherwise the user's own account. */
function activeAccount(row: SessionRow): Pick<UserCaller, 'account' | 'accountRole' | 'hasGrant'> {
  const { organizationId, organizationName, memberRole, department } = row;
  if (organizationId !== null && organizationName !== null && memberRole !== null) {
    const organization: Account = { type: 'organization', id: organizationId, name: organizationName };
    const accountRole = accountRoleOf(memberRole);
    if (row.activeTeamId === null && mayActForOrganization(memberRole, Boolean(row.isInAnyDepartment))) {
      return { account: organization, accountRole, hasGrant: Boolean(row.organizationGrant) };
    }
    if (department !== null && mayActForDepartment(memberRole, Boolean(row.isInDepartment))) {
      return {
        account: { ...organization, department },
        accountRole,
        hasGrant: Boolean(row.organizationGrant) || Boolean(row.departmentGrant),
      };
    }
  }
  return {
    account: { type: 'user', id: row.userId, name: row.userName },
    accountRole: 'admin',
    hasGrant: Boolean(row.userGrant),
  };
}
