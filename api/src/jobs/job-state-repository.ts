// Reads the states of jobs.

import type { Selectable } from 'kysely';
import { databaseTime, type DialectName, type Executor, type JobRunsTable, type Tx } from '../db/index.ts';

/** State of a job and of its present or last run. */
export interface JobState {
  name: string;
  /** Whether any replica runs it now. */
  running: boolean;
  /** Undefined: on demand only. In the past while the job runs or waits for its lease. */
  dueAt: string | undefined;
  /** Whether a run is due that has not begun, by the database's clock; also while an earlier one is running. */
  waiting: boolean;
  startedAt: string | undefined;
  /** Undefined while it runs, and after its process died. */
  endedAt: string | undefined;
  outcome: 'succeeded' | 'failed' | undefined;
  /** Failed runs since the last success. */
  failures: number;
  /** Code or message of the last failure; undefined after a success. */
  error: string | undefined;
  /** Latest progress of the present or last run. */
  progress: unknown;
  /** Result of the last successful run. */
  result: unknown;
}

/**
 * A request makes a job due this much later: after a run that begins at this moment, so that the end of that run can
 * tell the two apart. States count it as due at once.
 */
export const REQUEST_DELAY_MS = 1;

export function jobStateRepository(executor: Executor | Tx, dialect: DialectName) {
  const now = databaseTime(dialect);
  return {
    /** Reads the states of jobs that have a row, each at one moment. */
    async list(names: readonly string[]): Promise<JobState[]> {
      const rows = await executor
        .selectFrom('job_runs')
        .selectAll()
        .select((eb) =>
          eb
            .exists(
              eb
                .selectFrom('leases')
                .select('leases.name')
                .whereRef('leases.name', '=', 'job_runs.name')
                .whereRef('leases.token', '=', 'job_runs.token')
                .where('leases.holder', 'is not', null)
                .where('leases.expires_at', '>', now),
            )
            .as('is_held'),
        )
        .select((eb) =>
          eb
            .and([
              eb('due_at', '<=', databaseTime(dialect, REQUEST_DELAY_MS)),
              eb.or([
                eb('started_at', 'is', null),
                eb('due_at', '>', eb.ref('started_at')),
                eb('ended_at', 'is not', null),
              ]),
            ])
            .as('is_waiting'),
        )
        .where('name', 'in', names)
        .orderBy('name')
        .execute();
      return rows.map((row) => toState(row, { isHeld: Boolean(row.is_held), isWaiting: Boolean(row.is_waiting) }));
    },
  };
}

function toState(
  row: Selectable<JobRunsTable>,
  { isHeld, isWaiting }: { isHeld: boolean; isWaiting: boolean },
): JobState {
  return {
    name: row.name,
    running: isHeld && row.ended_at === null,
    dueAt: row.due_at ?? undefined,
    waiting: isWaiting,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    outcome: (row.outcome as JobState['outcome']) ?? undefined,
    failures: row.failures,
    error: row.error ?? undefined,
    progress: fromJson(row.progress),
    result: fromJson(row.result),
  };
}

/** Parses a JSON column. */
export function fromJson(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text);
}
