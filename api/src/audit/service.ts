// Reading the audit log, and keeping it from growing without bound. Writing to it is appendAudit, in the transaction
// of each change.

import { setTimeout as sleep } from 'node:timers/promises';
import { enforce, policy, type Caller } from '../access/index.ts';
import type { AuditEventsTable, Database } from '../db/index.ts';
import type { Job } from '../jobs/index.ts';
import { auditRepository, type AuditPosition } from './repository.ts';
import {
  DEFAULT_PAGE_SIZE,
  MAX_PAGE_SIZE,
  type AuditEventView,
  type AuditFilterQuery,
  type AuditQuery,
} from './schemas.ts';

export interface AuditLog {
  /** Lists events, the newest first. */
  list(caller: Caller, query: AuditQuery): Promise<{ results: AuditEventView[]; count: number }>;
  /**
   * Reads all events that match, the oldest first, as JSON Lines; those that are appended meanwhile may be among them.
   */
  export(caller: Caller, filter: AuditFilterQuery): AsyncGenerator<string>;
  /** Removes what is older than it is kept, in small steps. */
  readonly pruning: Job<number, number>;
}

export interface AuditLogOptions {
  database: Database;
  /** AUDIT_RETENTION_DAYS. */
  retentionDays: number;
  /** Events of one step of an export or a pruning. Default 500. */
  stepSize?: number;
}

const DAY_MS = 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;
const STEP_SIZE = 500;
/** Between two steps of pruning, for those who wait to write. */
const STEP_PAUSE_MS = 20;

export function createAuditLog({ database, retentionDays, stepSize = STEP_SIZE }: AuditLogOptions): AuditLog {
  const rows = auditRepository(database.db);

  async function* readAll(filter: AuditFilterQuery): AsyncGenerator<string> {
    for (let behind: AuditPosition | undefined; ;) {
      const step = await rows.readOn(filter, behind, stepSize);
      if (step.length > 0) yield step.map((row) => `${JSON.stringify(toView(row))}\n`).join('');
      if (step.length < stepSize) return;
      behind = step.at(-1);
    }
  }

  return {
    async list(caller, { skip = 0, size = DEFAULT_PAGE_SIZE, ...filter }) {
      enforce(policy.seeAudit(caller));
      const { rows: page, count } = await rows.list(filter, { offset: skip, limit: Math.min(size, MAX_PAGE_SIZE) });
      return { results: page.map(toView), count };
    },
    export(caller, filter) {
      enforce(policy.seeAudit(caller));
      return readAll(filter);
    },
    pruning: {
      name: 'audit.prune',
      everyMs: PRUNE_EVERY_MS,
      async run({ signal, progress }) {
        const before = new Date(Date.now() - retentionDays * DAY_MS).toISOString();
        for (let removed = 0; ;) {
          signal.throwIfAborted();
          const count = await rows.prune(before, stepSize);
          removed += count;
          if (count < stepSize) return removed;
          progress(removed);
          await sleep(STEP_PAUSE_MS);
        }
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
