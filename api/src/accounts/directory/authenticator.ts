// Resolves the caller from the identity service's cookies, and the accounts that the caller may act for.

import type { IncomingHttpHeaders } from 'node:http';
import type { Account, UserCaller } from '../../access/index.ts';
import type { AccountChoices } from '../sessions/service.ts';
import { formatAccountCookies, readDirectoryCookies } from './cookies.ts';
import { listDirectoryChoices, membershipFor, toDirectoryUser } from './operations.ts';
import { createTokenCheck, type DirectoryPayload, type DirectoryTokenOptions } from './token.ts';

export interface DirectoryAuthenticator extends AccountChoices {
  /**
   * Resolves the caller; undefined without a session or with an expired one.
   * @throws session_invalid, directory_unavailable
   */
  authenticate(headers: IncomingHttpHeaders): Promise<UserCaller | undefined>;
}

export interface DirectoryAuthenticatorOptions extends DirectoryTokenOptions {
  /** Whether PUBLIC_URL is https. */
  secure: boolean;
  hasGrant: (account: Account) => Promise<boolean>;
}

/** Placeholder: the sessions are the identity service's and have no ID here. */
const SESSION_ID = 'directory';

export function createDirectoryAuthenticator({
  secure,
  hasGrant,
  ...options
}: DirectoryAuthenticatorOptions): DirectoryAuthenticator {
  const check = createTokenCheck(options);
  const payloads = new WeakMap<UserCaller, DirectoryPayload>();
  const payloadOf = (caller: UserCaller): DirectoryPayload =>
    payloads.get(caller) ?? { id: caller.user.id, name: caller.user.name, organizations: [] };
  return {
    async authenticate(headers) {
      const { token, language, ...membership } = readDirectoryCookies(headers);
      const payload = token === undefined ? undefined : await check(token);
      if (!payload) return undefined;
      const user = toDirectoryUser(payload, membership);
      const caller: UserCaller = {
        kind: 'user',
        sessionId: SESSION_ID,
        ...user,
        hasGrant: await hasGrant(user.account),
        ...(language !== undefined && { language }),
      };
      payloads.set(caller, payload);
      return caller;
    },
    list: (_executor, caller) => Promise.resolve(listDirectoryChoices(payloadOf(caller))),
    choose: (_executor, caller, account) => {
      const membership = account.type === 'organization' ? membershipFor(payloadOf(caller), account) : undefined;
      return Promise.resolve(
        formatAccountCookies(
          membership
            ? { organization: membership.id, department: membership.department ?? undefined, role: membership.role }
            : {},
          secure,
        ),
      );
    },
  };
}
