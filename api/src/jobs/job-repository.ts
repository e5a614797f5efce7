import { sql } from 'kysely';
import { databaseTime, type DialectName, type Executor, type JobRunsTable, type Tx } from '../db/index.ts';

/** What is known of a job and its last run. */
export interface JobState {
  name: string;
  /** Somebody runs it now. */
  running: boolean;
  /** Undefined: only when somebody asks for it. In the past while it runs or waits for a lease. */
  dueAt: string | undefined;
  startedAt: string | undefined;
  /** Undefined while it runs, and when its process died. */
  endedAt: string | undefined;
  outcome: 'succeeded' | 'failed' | undefined;
  /** Code or message of the last failure; undefined after a success. */
  error: string | undefined;
  /** What the present run, or the last one, said of itself last. */
  progress: unknown;
  /** What the last run that succeeded returned. */
  result: unknown;
}

/** A run that begins. */
export interface BegunRun {
  failures: number;
  /** The progress of the run before, where that did not come to its end. */
  interrupted: unknown;
}

export function jobRepository(executor: Executor | Tx, dialect: DialectName) {
  const now = databaseTime(dialect);
  return {
    /** Makes the row of a job, unless it is there. @param dueInMs undefined: only on demand */
    async insert(name: string, dueInMs: number | undefined): Promise<void> {
      const row = {
        name,
        token: 0,
        failures: 0,
        due_at: dueInMs === undefined ? null : databaseTime(dialect, dueInMs),
      };
      await executor
        .insertInto('job_runs')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
    },

    /** @param prefixes of names too */
    async listDue(names: readonly string[], prefixes: readonly string[]): Promise<string[]> {
      const rows = await executor
        .selectFrom('job_runs')
        .select('name')
        .where('due_at', '<=', now)
        .where((eb) =>
          eb.or([
            ...(names.length > 0 ? [eb('name', 'in', names)] : []),
            ...prefixes.map((prefix) =>
              eb(eb.fn<string>('substr', ['name', eb.lit(1), eb.lit(prefix.length)]), '=', prefix),
            ),
          ]),
        )
        .execute();
      return rows.map(({ name }) => name);
    },

    /**
     * Makes a job due at another time than it was, be it that it runs: then it runs once more.
     * @param dueInMs undefined: only on demand
     */
    async putDue(name: string, dueInMs: number | undefined): Promise<void> {
      // Later than a run that begins in this moment, so that its end can tell.
      const dueAt = dueInMs === undefined ? null : databaseTime(dialect, Math.max(1, dueInMs));
      const row = { name, token: 0, failures: 0, due_at: dueAt };
      await executor
        .insertInto('job_runs')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ due_at: dueAt }))
        .execute();
    },

    /** Removes what is known of a job; a run that is under way writes nothing more. */
    async remove(name: string): Promise<void> {
      await executor.deleteFrom('job_runs').where('name', '=', name).execute();
    },

    /** Makes a job due; false while it is due already or somebody has its lease. */
    async makeDue(name: string): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('job_runs')
        .set({ due_at: now })
        .where('name', '=', name)
        .where((eb) => eb.or([eb('due_at', 'is', null), eb('due_at', '>', now)]))
        // One that was asked for in the foreground is not due, but runs.
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('leases')
                .select('leases.name')
                .where('leases.name', '=', name)
                .where('leases.holder', 'is not', null)
                .where('leases.expires_at', '>', now),
            ),
          ),
        )
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Notes that a run begins under a lease. @param onlyWhenDue then undefined when it is not due any more */
    async begin(name: string, token: number, onlyWhenDue: boolean): Promise<BegunRun | undefined> {
      const before = await executor.selectFrom('job_runs').selectAll().where('name', '=', name).executeTakeFirst();
      if (!before) return undefined;
      const interrupted = before.ended_at !== null && before.outcome === 'succeeded' ? null : before.progress;
      const { numUpdatedRows } = await executor
        .updateTable('job_runs')
        .set({ token, started_at: now, ended_at: null, progress: interrupted })
        .where('name', '=', name)
        .$if(onlyWhenDue, (query) => query.where('due_at', '<=', now))
        .executeTakeFirst();
      return numUpdatedRows === 1n ? { failures: before.failures, interrupted: fromJson(interrupted) } : undefined;
    },

    /** Writes the progress of a run, unless another has begun since. */
    async putProgress(name: string, token: number, progress: unknown): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set({ progress: JSON.stringify(progress) })
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

    /** @param nextInMs undefined: only on demand. What was made due since the run began stays so */
    async succeed(name: string, token: number, result: unknown, nextInMs: number | undefined): Promise<void> {
      const nextAt = nextInMs === undefined ? sql<string | null>`null` : databaseTime(dialect, nextInMs);
      await executor
        .updateTable('job_runs')
        .set((eb) => ({
          ended_at: now,
          outcome: 'succeeded',
          failures: 0,
          error: null,
          result: JSON.stringify(result ?? null),
          due_at: eb.case().when('due_at', '>', eb.ref('started_at')).then(eb.ref('due_at')).else(nextAt).end(),
        }))
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

    /** @param nextInMs undefined: leaves as it is when it is due */
    async fail(name: string, token: number, error: string, nextInMs: number | undefined): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set((eb) => ({
          ended_at: now,
          outcome: 'failed',
          failures: eb('failures', '+', 1),
          error,
          due_at: nextInMs === undefined ? eb.ref('due_at') : databaseTime(dialect, nextInMs),
        }))
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

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
            .as('held'),
        )
        .where('name', 'in', names)
        .orderBy('name')
        .execute();
      return rows.map((row) => toState(row, Boolean(row.held)));
    },
  };
}

function toState(row: JobRunsTable, held: boolean): JobState {
  return {
    name: row.name,
    running: held && row.ended_at === null,
    dueAt: row.due_at ?? undefined,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    outcome: (row.outcome as JobState['outcome']) ?? undefined,
    error: row.error ?? undefined,
    progress: fromJson(row.progress),
    result: fromJson(row.result),
  };
}

function fromJson(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text);
}
