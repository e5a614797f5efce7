// Describes the caller and switches the account that they act for. authenticator.ts resolves the session cookie; auth/
// handles sign-in.

import {
  changeAs,
  normaliseAccount,
  policy,
  type Account,
  type Actor,
  type Caller,
  type UserCaller,
} from '../../access/index.ts';
import type { Database, Executor } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { AccountNotAllowedError } from '../errors.ts';
import { listChoices, type AccountChoice } from './operations.ts';
import { listMemberships, writeActiveAccount } from './repository.ts';
import type { Session } from './schemas.ts';

export interface SessionService {
  /** Describes a caller of any kind. */
  describe(caller: Caller): Promise<Session>;
  /**
   * Switches the account that the session acts for. `cookies` are the `Set-Cookie` headers to send.
   * @throws account_not_allowed
   */
  chooseAccount(actor: Actor, account: Account): Promise<{ session: Session; cookies: string[] }>;
}

/** The accounts that users may act for, and the storage of their choice. */
export interface AccountChoices {
  /** Lists the accounts that a user may act for, their own first. */
  list(executor: Executor, caller: UserCaller): Promise<AccountChoice[]>;
  /** Makes one of them the account that the session acts for; returns the `Set-Cookie` headers to send. */
  choose(executor: Executor, caller: UserCaller, account: Account): Promise<string[]>;
}

export interface SessionServiceOptions {
  database: Database;
  choices: AccountChoices;
  hasGrant: (account: Account, executor: Executor) => Promise<boolean>;
}

/** For users of this registry: their memberships, with the choice stored in the session. */
export const LOCAL_CHOICES: AccountChoices = {
  list: async (executor, { user }) => listChoices(user, await listMemberships(executor, user.id)),
  async choose(executor, { sessionId }, { type, id, department }) {
    await writeActiveAccount(executor, sessionId, type === 'organization' ? { organizationId: id, department } : {});
    return [];
  },
};

export function createSessionService({ database, choices, hasGrant }: SessionServiceOptions): SessionService {
  return {
    async describe(caller) {
      if (caller.kind === 'user') return toSession(caller, await choices.list(database.db, caller));
      return {
        kind: caller.kind,
        ...('account' in caller && { account: caller.account }),
        isAdmin: false,
        hasGrant: 'hasGrant' in caller && caller.hasGrant,
      };
    },

    async chooseAccount(actor, wanted) {
      const { type, id, department } = normaliseAccount(wanted);
      return changeAs(database, actor, policy.chooseAccount, async (tx, current) => {
        const caller = current.caller as UserCaller;
        const available = await choices.list(tx, caller);
        const chosen = available.find(
          (choice) => choice.type === type && choice.id === id && choice.department === department,
        );
        if (!chosen)
          throw new AccountNotAllowedError('You may not act for this account: choose one that GET /session lists.');
        const account: Account = {
          type,
          id,
          ...(chosen.name !== undefined && { name: chosen.name }),
          ...(department !== undefined && { department }),
        };
        const cookies = await choices.choose(tx, caller, account);
        await recordChange(tx, current, {
          action: 'session.choose-account',
          targetType: 'session',
          targetId: caller.sessionId,
          details: { account },
        });
        return {
          session: toSession(
            { ...caller, account, accountRole: chosen.role, hasGrant: await hasGrant(account, tx) },
            available,
          ),
          cookies,
        };
      });
    },
  };
}

function toSession(
  { kind, user, account, accountRole, isAdmin, hasGrant, isReadOnly, language }: UserCaller,
  accounts: AccountChoice[],
): Session {
  return {
    kind,
    user,
    account,
    accountRole,
    accounts,
    isAdmin,
    hasGrant,
    ...(isReadOnly && { isReadOnly }),
    ...(language !== undefined && { language }),
  };
}
