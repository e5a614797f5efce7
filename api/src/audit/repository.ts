// Who did what to what: services append an event in the transaction that makes the change.

import { randomUUID } from 'node:crypto';
import type { Actor, Caller } from '../access/index.ts';
import type { Executor } from '../db/index.ts';

export interface AuditEvent {
  /** `<slice>.<verb>`, such as `artefact.upload`. */
  action: string;
  targetType: 'artefact' | 'api-key' | 'access-grant' | 'user' | 'organization' | 'session' | 'setting' | 'storage' | 'remote-registry';
  targetId: string;
  /** Default `success`. */
  outcome?: 'success' | 'refused' | 'failed';
  /** Small facts that help a reader; never a secret. */
  details?: Record<string, unknown>;
}

/** Appends one event. Build it from the transaction of the change, so that neither exists without the other. */
export async function appendAudit(executor: Executor, actor: Actor, event: AuditEvent): Promise<void> {
  await executor.insertInto('audit_events').values({
    id: randomUUID(),
    at: new Date().toISOString(),
    ...actorColumns(actor.caller),
    action: event.action,
    target_type: event.targetType,
    target_id: event.targetId,
    outcome: event.outcome ?? 'success',
    ip: actor.ip,
    request_id: actor.requestId,
    details: event.details ? JSON.stringify(event.details) : null,
  }).execute();
}

function actorColumns(caller: Caller): { actor_kind: string; actor_id: string | null; actor_name: string | null } {
  switch (caller.kind) {
    case 'user': return { actor_kind: 'user', actor_id: caller.user.id, actor_name: caller.user.name };
    case 'upload-key':
    case 'read-key': return { actor_kind: caller.kind, actor_id: caller.key.id, actor_name: caller.key.name };
    default: return { actor_kind: caller.kind, actor_id: null, actor_name: null };
  }
}
