// Records a change: one line of the audit log, and the events that consumers get, in the transaction of the change.

import { accountMatches, type Account, type Caller, type CurrentActor, type Visibility } from '../access/index.ts';
import { appendAudit, type AuditEvent } from '../audit/index.ts';
import type { Executor, Tx } from '../db/index.ts';
import type { NewEvent } from './event-types.ts';
import { appendEvents, findAudiences, putAudience } from './repository.ts';

/** What the audit log keeps of a change, and what consumers learn of it. */
export interface Change extends AuditEvent {
  /** In the order in which consumers get them. Default: none. */
  events?: readonly NewEvent[];
  /** Who could see the artefact that the change deletes: they get its events also afterwards. */
  audience?: Visibility;
}

/**
 * Records a change. Pass its transaction, so that all are committed or none is, and the actor that `changeAs` has read
 * in it.
 */
export async function recordChange(
  executor: Executor,
  actor: CurrentActor,
  { events = [], audience, ...audit }: Change,
): Promise<void> {
  const time = await appendAudit(executor, actor, audit);
  await appendEvents(
    executor,
    events.map((event) => ({ ...event, ...(event.type === 'artefact.deleted' && { audience }) })),
    { time, actor: shortActorOf(actor.caller) },
  );
}

/** Takes a deleted account out of who could see deleted artefacts: a later account with its ID must not. */
export async function forgetAudience(tx: Tx, account: Account): Promise<void> {
  for (const { seq, audience } of await findAudiences(tx, account.id)) {
    const privateAccess = audience.privateAccess.filter((entry) => !accountMatches(account, entry));
    await putAudience(tx, seq, { ...audience, privateAccess });
  }
}

/** Without names and addresses, which only the audit log keeps. */
function shortActorOf(caller: Caller): { kind: Caller['kind']; id?: string } {
  switch (caller.kind) {
    case 'user':
      return { kind: 'user', id: caller.user.id };
    case 'upload-key':
    case 'read-key':
      return { kind: caller.kind, id: caller.key.shortId };
    default:
      return { kind: caller.kind };
  }
}
