// Who the caller is and what he may act for. How a cookie becomes a caller lives in authenticator.ts, signing in in auth/.

import { enforce, policy, type Account, type Actor, type Caller, type UserCaller } from '../../access/index.ts';
import { appendAudit } from '../../audit/index.ts';
import type { Database, Executor } from '../../db/index.ts';
import { AccountNotAllowedError } from '../errors.ts';
import { listChoices, type AccountChoice } from './operations.ts';
import { listMemberships, writeActiveAccount } from './repository.ts';
import type { Session } from './schemas.ts';

export interface SessionService {
  /** Tells any caller who he is. */
  describe(caller: Caller): Promise<Session>;
  /** Chooses the account that the session acts for from now on. @throws account_not_allowed */
  chooseAccount(actor: Actor, account: Account): Promise<Session>;
}

export interface SessionServiceOptions { database: Database; hasGrant: (account: Account, executor: Executor) => Promise<boolean> }

export function createSessionService({ database, hasGrant }: SessionServiceOptions): SessionService {
  const choicesOf = async (executor: Executor, { user }: UserCaller) => listChoices(user, await listMemberships(executor, user.id));
  return {
    async describe(caller) {
      if (caller.kind === 'user') return toSession(caller, await choicesOf(database.db, caller));
      return {
        kind: caller.kind,
        ...('account' in caller && { account: caller.account }),
        isAdmin: false,
        hasGrant: 'hasGrant' in caller && caller.hasGrant,
      };
    },

    async chooseAccount(actor, { type, id, department }) {
      enforce(policy.chooseAccount(actor.caller));
      const caller = actor.caller as UserCaller;
      return database.transaction(async (tx) => {
        const choices = await choicesOf(tx, caller);
        const chosen = choices.find((choice) => choice.type === type && choice.id === id && choice.department === department);
        if (!chosen) throw new AccountNotAllowedError('You may not act for this account: choose one of those that GET /session lists.');
        const account: Account = { type, id, ...(chosen.name !== undefined && { name: chosen.name }), ...(department !== undefined && { department }) };
        await writeActiveAccount(tx, caller.sessionId, type === 'organization' ? { organizationId: id, department } : {});
        await appendAudit(tx, actor, { action: 'session.choose-account', targetType: 'session', targetId: caller.sessionId, details: { account } });
        return toSession({ ...caller, account, accountRole: chosen.role, hasGrant: await hasGrant(account, tx) }, choices);
      });
    },
  };
}

function toSession({ kind, user, account, accountRole, isAdmin, hasGrant }: UserCaller, accounts: AccountChoice[]): Session {
  return { kind, user, account, accountRole, accounts, isAdmin, hasGrant };
}
