// Acts on behalf of a caller whose rights may end meanwhile: changes in a transaction, and streams.

import type { Database, Executor, Tx } from '../db/index.ts';
import type { Actor, CurrentActor } from './actor.ts';
import type { Caller } from './caller.ts';
import { ApiKeyRevokedError, SessionEndedError } from './errors.ts';
import { enforce, isAllowed, type Refusal } from './policy.ts';

/** A function of the policy that depends on the caller alone, such as `policy.manageAccounts`. */
export type Rule = (caller: Caller) => Refusal;

export interface ChangeOptions {
  /**
   * Takes locks that the change needs on rows of users, before those of the caller are locked against changes:
   * two callers who lock each other's rows in turn would deadlock.
   */
  lockFirst?: (tx: Tx) => Promise<unknown>;
}

/**
 * Changes something in one transaction, on behalf of a caller who has the right at its commit: the rule is enforced at
 * once, and again in the transaction, where the caller is read anew. A change that takes the right away waits for the
 * commit, or wins.
 *
 * @param work gets the caller as they are now, for the rules that depend on data and for the audit log; SQL only
 * @throws the refusal of the rule, session_ended, api_key_revoked
 */
export async function changeAs<T>(
  database: Pick<Database, 'transaction'>,
  actor: Actor,
  rule: Rule,
  work: (tx: Tx, actor: CurrentActor) => Promise<T>,
  { lockFirst }: ChangeOptions = {},
): Promise<T> {
  enforce(rule(actor.caller));
  return database.transaction(async (tx) => {
    await lockFirst?.(tx);
    const caller = await currentCaller(actor, tx);
    enforce(rule(caller));
    return work(tx, { caller, ip: actor.ip, requestId: actor.requestId });
  });
}

/** Returns the caller as they are now, see `Actor.reload`. @throws session_ended, api_key_revoked */
export async function currentCaller({ caller, reload }: Actor, executor: Executor): Promise<Caller> {
  return reload ? reload(executor) : caller;
}

/** Tells whether a caller still has a right, for work that outlasts the check of its request, such as a stream. */
export async function isStillAllowed({ db }: Pick<Database, 'db'>, actor: Actor, rule: Rule): Promise<boolean> {
  try {
    return isAllowed(rule(await currentCaller(actor, db)));
  } catch (error) {
    if (error instanceof SessionEndedError || error instanceof ApiKeyRevokedError) return false;
    throw error;
  }
}
