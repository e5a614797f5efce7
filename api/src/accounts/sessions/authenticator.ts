// From a session cookie to its caller, by a join of our own at each request: a session, a membership or a
// superadmin's right that ended is ended at once. better-auth is asked only when a session is to be prolonged.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Account, UserCaller } from '../../access/index.ts';
import type { Database } from '../../db/index.ts';
import { isSuperadmin } from '../operations.ts';
import { accountRoleOf, mayActForDepartment, mayActForWhole } from './operations.ts';
import { createFindSession, type SessionRow } from './repository.ts';
import type { SessionCookies } from './session-cookie.ts';

/** A session lives for a week after its last prolongation, which happens at most once a day. */
export const SESSION_LIFETIME_SECONDS = 7 * 24 * 3600;
export const SESSION_PROLONG_AFTER_SECONDS = 24 * 3600;

export interface SessionAuthenticator {
  /**
   * Resolves the caller of the session cookie; undefined when it is unknown, forged or expired, or its user disabled
   * or deleted.
   */
  identify(headers: IncomingHttpHeaders): Promise<UserCaller | undefined>;
  /** The same, and prolongs the session when that is due. */
  authenticate(headers: IncomingHttpHeaders): Promise<UserCaller | undefined>;
  /** Makes the answers of a scope of the app carry the cookies of sessions that were prolonged. */
  register(app: FastifyInstance): void;
}

export interface SessionAuthenticatorOptions {
  database: Database;
  cookies: SessionCookies;
  /** Prolongs the session through better-auth; the new `Set-Cookie` headers, or undefined when it ended meanwhile. */
  prolong: (headers: IncomingHttpHeaders) => Promise<string[] | undefined>;
}

export function createSessionAuthenticator({
  database,
  cookies,
  prolong,
}: SessionAuthenticatorOptions): SessionAuthenticator {
  const findSession = createFindSession(database);
  // By the headers object of the request, since that is all that authenticate() and the answer share.
  const prolonged = new WeakMap<IncomingHttpHeaders, string[]>();
  const findLive = async (headers: IncomingHttpHeaders): Promise<SessionRow | undefined> => {
    const token = cookies.readToken(headers);
    const row = token === undefined ? undefined : await findSession(token);
    return row && isAlive(row, Date.now()) ? row : undefined;
  };
  return {
    async identify(headers) {
      const row = await findLive(headers);
      return row && toCaller(row);
    },

    async authenticate(headers) {
      const row = await findLive(headers);
      if (!row) return undefined;
      if (isDue(row, Date.now()) && !cookies.isForgetful(headers)) {
        const setCookies = await prolong(headers);
        if (!setCookies) return undefined;
        prolonged.set(headers, setCookies);
      }
      return toCaller(row);
    },

    register(app) {
      // Early, since answers that are sent past the framework's streams have no onSend.
      app.addHook('onRequest', (request, reply, done) => {
        for (const cookie of prolonged.get(request.headers) ?? []) reply.header('set-cookie', cookie);
        done();
      });
    },
  };
}

function isAlive(row: SessionRow, now: number): boolean {
  const isDisabled = row.banned && (row.banExpires === null || new Date(row.banExpires).getTime() > now);
  return !isDisabled && new Date(row.expiresAt).getTime() >= now;
}

/** The rule of better-auth itself. */
function isDue(row: SessionRow, now: number): boolean {
  return new Date(row.expiresAt).getTime() - (SESSION_LIFETIME_SECONDS - SESSION_PROLONG_AFTER_SECONDS) * 1000 <= now;
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

/** The account that the session names, where the user may still act for it; else the user alone. */
function activeAccount(row: SessionRow): Pick<UserCaller, 'account' | 'accountRole' | 'hasGrant'> {
  const { organizationId, organizationName, memberRole, department } = row;
  if (organizationId !== null && organizationName !== null && memberRole !== null) {
    const organization: Account = { type: 'organization', id: organizationId, name: organizationName };
    const accountRole = accountRoleOf(memberRole);
    if (row.activeTeamId === null && mayActForWhole(memberRole, Boolean(row.isInDepartments))) {
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
