// Audit log: services append an event in the transaction that makes the change, superadmins read them, old ones are
// pruned.

import { randomUUID } from 'node:crypto';
import type { Actor, Caller } from '../access/index.ts';
import type { AuditEventsTable, Executor } from '../db/index.ts';

export interface AuditEvent {
  /** `<slice>.<verb>`, such as `artefact.upload`. */
  action: string;
  targetType:
    | 'artefact'
    | 'api-key'
    | 'access-grant'
    | 'user'
    | 'organization'
    | 'session'
    | 'setting'
    | 'storage'
    | 'remote-registry'
    | 'trusted-publisher';
  targetId: string;
  /** Default `success`. */
  outcome?: 'success' | 'refused' | 'failed';
  /** Small facts that help a reader; never a secret. */
  details?: Record<string, unknown>;
}

/** Appends one event. Build it from the transaction of the change, so that neither exists without the other. */
export async function appendAudit(executor: Executor, actor: Actor, event: AuditEvent): Promise<void> {
  await executor
    .insertInto('audit_events')
    .values({
      id: timeOrderedId(),
      at: new Date().toISOString(),
      ...actorColumns(actor.caller),
      action: event.action,
      target_type: event.targetType,
      target_id: event.targetId,
      outcome: event.outcome ?? 'success',
      ip: actor.ip,
      request_id: actor.requestId,
      details: event.details ? JSON.stringify(event.details) : null,
    })
    .execute();
}

/**
 * A UUID of version 7 whose `rand_a` counts 4,096ths of a millisecond (RFC 9562, 6.2, method 3): events of one process
 * that fall into one millisecond stay in the order in which they happened. /
 */
function timeOrderedId(): string {
  const nowMs = performance.timeOrigin + performance.now();
  const time = Math.floor(nowMs).toString(16).padStart(12, '0');
  const fraction = Math.floor((nowMs % 1) * 4096)
    .toString(16)
    .padStart(3, '0');
  // Variant and random bits are those of version 4.
  const rest = randomUUID().slice(19);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${fraction}-${rest}`;
}

function actorColumns(caller: Caller): { actor_kind: string; actor_id: string | null; actor_name: string | null } {
  switch (caller.kind) {
    case 'user':
      return { actor_kind: 'user', actor_id: caller.user.id, actor_name: caller.user.name };
    case 'upload-key':
    case 'read-key':
      return { actor_kind: caller.kind, actor_id: caller.key.id, actor_name: caller.key.name };
    default:
      return { actor_kind: caller.kind, actor_id: null, actor_name: null };
  }
}

/** What of the log is asked for; all that is set must hold. */
export interface AuditFilter {
  /** Id of a user or of a key. */
  actor?: string | undefined;
  actorKind?: string | undefined;
  /** `artefact.upload`, or all of a slice: `artefact.`. */
  action?: string | undefined;
  targetType?: string | undefined;
  target?: string | undefined;
  outcome?: string | undefined;
  /** ISO 8601, both included. */
  from?: string | undefined;
  to?: string | undefined;
}

/** Where a reader of the whole log stands. */
export type AuditPosition = Pick<AuditEventsTable, 'at' | 'id'>;

export function auditRepository(executor: Executor) {
  return {
    async list(
      filter: AuditFilter,
      { offset, limit }: { offset: number; limit: number },
    ): Promise<{ rows: AuditEventsTable[]; count: number }> {
      const rows = await matching(executor, filter)
        .selectAll()
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .offset(offset)
        .execute();
      const { count } = await matching(executor, filter)
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return { rows, count };
    },

    /** The next events behind a position, the oldest first. */
    readOn(filter: AuditFilter, behind: AuditPosition | undefined, limit: number): Promise<AuditEventsTable[]> {
      return matching(executor, filter)
        .selectAll()
        .$if(behind !== undefined, (query) =>
          query.where((eb) => eb(eb.refTuple('at', 'id'), '>', eb.tuple(behind?.at ?? '', behind?.id ?? ''))),
        )
        .orderBy('at')
        .orderBy('id')
        .limit(limit)
        .execute();
    },

    /** Removes at most `limit` events from before a time, the oldest first, and tells how many. */
    async prune(before: string, limit: number): Promise<number> {
      const oldest = executor
        .selectFrom('audit_events')
        .select('id')
        .where('at', '<', before)
        .orderBy('at')
        .orderBy('id')
        .limit(limit);
      const { numDeletedRows } = await executor
        .deleteFrom('audit_events')
        .where('id', 'in', oldest)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

function matching(
  executor: Executor,
  { actor, actorKind, action, targetType, target, outcome, from, to }: AuditFilter,
) {
  let query = executor.selectFrom('audit_events');
  if (actor !== undefined) query = query.where('actor_id', '=', actor);
  if (actorKind !== undefined) query = query.where('actor_kind', '=', actorKind);
  // A range, not a pattern: `.` is followed by `/`.
  if (action?.endsWith('.'))
    query = query.where('action', '>=', action).where('action', '<', `${action.slice(0, -1)}/`);
  else if (action !== undefined) query = query.where('action', '=', action);
  if (targetType !== undefined) query = query.where('target_type', '=', targetType);
  if (target !== undefined) query = query.where('target_id', '=', target);
  if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  if (from !== undefined) query = query.where('at', '>=', new Date(from).toISOString());
  if (to !== undefined) query = query.where('at', '<=', new Date(to).toISOString());
  return query;
}
