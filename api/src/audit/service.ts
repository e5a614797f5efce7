// Audit service: lists, exports and prunes events. Services write them with `recordChange` of events/.

import { currentCaller, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import type { AuditEventsTable, Database } from '../db/index.ts';
import { inBatches, type Job } from '../jobs/index.ts';
import { auditRepository } from './repository.ts';
import { DEFAULT_PAGE_SIZE, type AuditEventView, type AuditFilterQuery, type AuditQuery } from './schemas.ts';
import { createAuditSearch } from './search-repository.ts';

export interface AuditLog {
  /** Lists events, newest first. */
  list(caller: Caller, query: AuditQuery): Promise<{ results: AuditEventView[]; count: number }>;
  /**
   * Streams all matching events as JSON Lines, oldest first; may include events appended meanwhile. Throws midway once
   * the caller may no longer read them, so that an incomplete export does not pass for a whole one.
   */
  export(actor: Actor, filter: AuditFilterQuery): AsyncGenerator<string>;
  /** Job that deletes events past the retention period, in batches. */
  readonly pruning: Job<number, number>;
}

export interface AuditLogOptions {
  database: Database;
  /** AUDIT_RETENTION_DAYS. */
  retentionDays: number;
  /** Events per query of an export or a pruning run. Default 500. */
  batchSize?: number;
}

const DAY_MS = 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;
const BATCH_SIZE = 500;

export function createAuditLog({ database, retentionDays, batchSize = BATCH_SIZE }: AuditLogOptions): AuditLog {
  const rows = auditRepository(database.db);
  const search = createAuditSearch({ database });

  async function* readAll(actor: Actor, filter: AuditFilterQuery): AsyncGenerator<string> {
    enforce(policy.seeAudit(await currentCaller(actor, database.db)));
    for await (const batch of search.readAll(filter, batchSize)) {
      if (batch.length > 0) yield batch.map((row) => `${JSON.stringify(toView(row))}\n`).join('');
      enforce(policy.seeAudit(await currentCaller(actor, database.db)));
    }
  }

  return {
    async list(caller, { skip = 0, size = DEFAULT_PAGE_SIZE, ...filter }) {
      enforce(policy.seeAudit(caller));
      const { rows: page, count } = await search.list(filter, { skip, size });
      return { results: page.map(toView), count };
    },
    export(actor, filter) {
      enforce(policy.seeAudit(actor.caller));
      return readAll(actor, filter);
    },
    pruning: {
      name: 'audit.prune',
      makesRoom: true,
      everyMs: PRUNE_EVERY_MS,
      run({ signal, progress }) {
        const before = new Date(Date.now() - retentionDays * DAY_MS).toISOString();
        return inBatches((limit) => rows.prune(before, limit), { signal, batchSize, onProgress: progress });
      },
    },
  };
}

function toView(row: AuditEventsTable): AuditEventView {
  return {
    _id: row.id,
    at: row.at,
    actor: {
      kind: row.actor_kind as AuditEventView['actor']['kind'],
      ...(row.actor_id !== null && { id: row.actor_id }),
      ...(row.actor_name !== null && { name: row.actor_name }),
    },
    action: row.action,
    target: { type: row.target_type, id: row.target_id },
    outcome: row.outcome as AuditEventView['outcome'],
    ...(row.ip && { ip: row.ip }),
    ...(row.request_id && { requestId: row.request_id }),
    ...(row.details !== null && { details: JSON.parse(row.details) as unknown }),
  };
}
