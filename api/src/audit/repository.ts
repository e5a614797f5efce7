// Audit log: `recordChange` of events/ appends an event in the transaction of the change; old ones are pruned.
// search-repository.ts reads them.

import type { Caller, CurrentActor } from '../access/index.ts';
import { createUuidV7, type Executor } from '../db/index.ts';

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
  /** Small context values for the reader; never a secret. */
  details?: Record<string, unknown>;
}

/** Appends an event, and returns its time. `recordChange` of events/ calls this for every change. */
export async function appendAudit(executor: Executor, actor: CurrentActor, event: AuditEvent): Promise<string> {
  const at = new Date().toISOString();
  await executor
    .insertInto('audit_events')
    .values({
      id: createUuidV7(),
      at,
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
  return at;
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

export function auditRepository(executor: Executor) {
  return {
    /** Deletes up to `limit` events older than a time, oldest first, and returns how many. */
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
