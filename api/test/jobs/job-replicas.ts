// Replicas that share one test database, and jobs that a test controls.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import type { Database, DialectName } from '../../src/db/index.ts';
import { createJobs, type Job, type JobContext, type Jobs, type JobsOptions } from '../../src/jobs/index.ts';
import { openTestDatabase } from '../support/test-database.ts';

export interface JobReplicas {
  url: string;
  database: Database;
  /** Creates a replica, which stops at the end of the test. */
  replica(t: TestContext, job?: Job, options?: Partial<JobsOptions>): Jobs;
  /** Makes a job due, and wakes it in one replica. */
  runNow(jobs: Jobs, name: string): Promise<void>;
  close(): Promise<void>;
}

/** An interval that no test reaches. */
export const FAR_MS = 3_600_000;
const QUICK = { pollMs: 10, backOffMs: 10 };

let nameCount = 0;

export function newName(): string {
  return `test.${++nameCount}`;
}

export async function openJobReplicas(dialect: DialectName): Promise<JobReplicas> {
  const { database, url, close } = await openTestDatabase(dialect);
  return {
    url,
    database,
    replica(t, job, options = {}) {
      const jobs = createJobs({ database, onError: fail, ...QUICK, ...options });
      t.after(() => jobs.close());
      if (job) jobs.register(job);
      return jobs;
    },
    async runNow(jobs, name) {
      await database.transaction((tx) => jobs.makeDue(tx, name));
      jobs.wake(name);
    },
    close,
  };
}

export async function stateOf(jobs: Jobs, name: string) {
  const state = (await jobs.states([name])).get(name);
  assert.ok(state);
  return state;
}

/** Creates a job that resolves `started` when it runs, and ends when the test resolves `end`. */
export function manualJob(name: string, job: Partial<Job> = {}) {
  const started = Promise.withResolvers<JobContext>();
  const end = Promise.withResolvers<unknown>();
  const run = async (context: JobContext) => {
    started.resolve(context);
    const stopped = once(context.signal, 'abort').then(() => {
      throw new Error('stopped');
    });
    return Promise.race([end.promise, stopped]);
  };
  return { started: started.promise, end, job: { name, everyMs: FAR_MS, run, ...job } };
}

function fail(error: unknown): never {
  throw error;
}
