import { sql, type ExpressionBuilder } from 'kysely';
import { databaseTime, type DialectName, type Executor, type Schema, type Tx } from '../db/index.ts';
import { fromJson, REQUEST_DELAY_MS } from './job-state-repository.ts';

/** What a new run continues from. */
export interface PreviousRun {
  /** Consecutive failures. */
  failures: number;
  /** Runs in a row whose process died. */
  deaths: number;
  /** Progress of the previous run if that one did not succeed. */
  interrupted: unknown;
}

export function jobRepository(executor: Executor | Tx, dialect: DialectName) {
  const now = databaseTime(dialect);
  /** Due date after a run: the given one, or an earlier one that was set since the run began. */
  const nextDueAt = (eb: ExpressionBuilder<Schema, 'job_runs'>, nextInMs: number | undefined) => {
    const nextAt = nextInMs === undefined ? sql<string | null>`null` : databaseTime(dialect, nextInMs);
    const isEarlier = nextInMs === undefined ? eb.lit(true) : eb('due_at', '<', nextAt);
    return eb
      .case()
      .when(eb.and([eb('due_at', '>', eb.ref('started_at')), isEarlier]))
      .then(eb.ref('due_at'))
      .else(nextAt)
      .end();
  };
  return {
    /** Inserts the row of a job if it is missing. @param dueInMs undefined: on demand only */
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

    /**
     * Brings the row of a job in line with its interval, which may be another one than at its last run.
     * @param dueInMs undefined: on demand only
     */
    async reschedule(name: string, dueInMs: number | undefined): Promise<void> {
      const row = executor.updateTable('job_runs').where('name', '=', name);
      if (dueInMs !== undefined) {
        const dueAt = databaseTime(dialect, dueInMs);
        await row
          .set({ due_at: dueAt })
          .where((eb) => eb.or([eb('due_at', 'is', null), eb('due_at', '>', dueAt)]))
          .execute();
      } else {
        // Retries of failed runs stay.
        await row.set({ due_at: null }).where('due_at', '>', now).where('failures', '=', 0).execute();
      }
    },

    /** Lists due jobs with these names, or with names that start with one of the prefixes. */
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

    /** Makes a job due now. A job that is running will run once more. Locks its row until the transaction ends. */
    async putDueNow(name: string): Promise<void> {
      const dueAt = databaseTime(dialect, REQUEST_DELAY_MS);
      await executor
        .insertInto('job_runs')
        .values({ name, token: 0, failures: 0, due_at: dueAt })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ due_at: dueAt }))
        .execute();
    },

    /**
     * Sets when a job is due next; one that is due already stays so.
     * @param dueInMs undefined: on demand only
     */
    async putDue(name: string, dueInMs: number | undefined): Promise<void> {
      const dueAt = dueInMs === undefined ? null : databaseTime(dialect, dueInMs);
      await executor
        .insertInto('job_runs')
        .values({ name, token: 0, failures: 0, due_at: dueAt })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ due_at: dueAt })
            .where((eb) =>
              eb.or([
                eb('job_runs.due_at', 'is', null),
                eb('job_runs.due_at', '>', databaseTime(dialect, REQUEST_DELAY_MS)),
              ]),
            ),
        )
        .execute();
    },

    /** Deletes the row of a job; a run in progress writes nothing afterwards. */
    async remove(name: string): Promise<void> {
      await executor.deleteFrom('job_runs').where('name', '=', name).execute();
    },

    /** Makes a job due now; false if it is already due or its lease is held. */
    async makeDue(name: string): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('job_runs')
        .set({ due_at: now })
        .where('name', '=', name)
        .where((eb) => eb.or([eb('due_at', 'is', null), eb('due_at', '>', now)]))
        // A job that runs in the foreground (runHere) is not due, but its lease is held.
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

    /** Records the start of a run. @param onlyWhenDue returns undefined if the job is no longer due */
    async begin(name: string, token: number, onlyWhenDue: boolean): Promise<PreviousRun | undefined> {
      const previous = await executor.selectFrom('job_runs').selectAll().where('name', '=', name).executeTakeFirst();
      if (!previous) return undefined;
      const hasSucceeded = previous.ended_at !== null && previous.outcome === 'succeeded';
      const interrupted = hasSucceeded ? null : previous.progress;
      const { numUpdatedRows } = await executor
        .updateTable('job_runs')
        .set({
          token,
          started_at: now,
          ended_at: null,
          progress: interrupted,
          unended_runs: previous.unended_runs + 1,
        })
        .where('name', '=', name)
        .$if(onlyWhenDue, (query) => query.where('due_at', '<=', now))
        .executeTakeFirst();
      return numUpdatedRows === 1n
        ? { failures: previous.failures, deaths: previous.unended_runs, interrupted: fromJson(interrupted) }
        : undefined;
    },

    /** Records that a run is interrupted, but not by the death of its process. */
    async suspend(name: string, token: number): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set((eb) => ({ unended_runs: eb('unended_runs', '-', 1) }))
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

    async resetDeaths(name: string): Promise<void> {
      await executor.updateTable('job_runs').set({ unended_runs: 0 }).where('name', '=', name).execute();
    },

    /** Writes the progress of a run, unless a later one has started. */
    async putProgress(name: string, token: number, progress: unknown): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set({ progress: JSON.stringify(progress) })
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

    /**
     * Records a success. An earlier due date that was set during the run is kept.
     * @param nextInMs undefined: on demand only
     */
    async succeed(name: string, token: number, result: unknown, nextInMs: number | undefined): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set((eb) => ({
          ended_at: now,
          outcome: 'succeeded',
          failures: 0,
          unended_runs: 0,
          error: null,
          result: JSON.stringify(result ?? null),
          due_at: nextDueAt(eb, nextInMs),
        }))
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },

    /**
     * Records a failure. An earlier due date that was set during the run is kept.
     * @param nextInMs undefined: keeps the due date
     */
    async fail(name: string, token: number, error: string, nextInMs: number | undefined): Promise<void> {
      await executor
        .updateTable('job_runs')
        .set((eb) => ({
          ended_at: now,
          outcome: 'failed',
          failures: eb('failures', '+', 1),
          unended_runs: 0,
          error,
          due_at: nextInMs === undefined ? eb.ref('due_at') : nextDueAt(eb, nextInMs),
        }))
        .where('name', '=', name)
        .where('token', '=', token)
        .execute();
    },
  };
}
