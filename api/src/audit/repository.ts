// Audit log: services append an event in the transaction of the change; old ones are pruned.
// search-repository.ts reads them.

import { randomUUID } from 'node:crypto';
import type { Caller, CurrentActor } from '../access/index.ts';
import type { Executor } from '../db/index.ts';

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

/**
 * Appends an event. Pass the transaction of the change, so that both are committed or neither is, and the actor that
 * `changeAs` has read in it.
 */
export async function appendAudit(executor: Executor, actor: CurrentActor, event: AuditEvent): Promise<void> {
  await executor
    .insertInto('audit_events')
    .values({
      id: createUuidV7(),
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
 * Creates a UUIDv7 whose `rand_a` counts 4,096ths of a millisecond (RFC 9562, section 6.2, method 3), which keeps
 * events of one process within the same millisecond in order.
 */
function createUuidV7(): string {
  const nowMs = performance.timeOrigin + performance.now();
  const time = Math.floor(nowMs).toString(16).padStart(12, '0');
  const fraction = Math.floor((nowMs % 1) * 4096)
    .toString(16)
    .padStart(3, '0');
  // The variant and the random bits come from a UUIDv4.
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
