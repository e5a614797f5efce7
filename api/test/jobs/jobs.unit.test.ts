import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../../src/db/index.ts';
import { createJobs, type Job, type JobContext, type Jobs, type JobsOptions } from '../../src/jobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** Never reached by the clock of a test. */
const FAR_MS = 3_600_000;
const QUICK = { pollMs: 10, backOffMs: 10 };

for (const dialect of DIALECTS) {
  describe(`jobs on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    let count = 0;

    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    after(() => opened.close());

    const newName = () => `test.${++count}`;
    /** A replica that is stopped at the test's end. */
    function replica(t: TestContext, job?: Job, options: Partial<JobsOptions> = {}): Jobs {
      const jobs = createJobs({ database, onError: fail, ...QUICK, ...options });
      t.after(() => jobs.close());
      if (job) jobs.register(job);
      return jobs;
    }
    const stateOf = async (jobs: Jobs, name: string) => {
      const state = (await jobs.states([name])).get(name);
      assert.ok(state);
      return state;
    };
    /** A job that says when it runs and ends when it is told to. */
    function heldJob(name: string, job: Partial<Job> = {}) {
      const began = Promise.withResolvers<JobContext>();
      const end = Promise.withResolvers<unknown>();
      const run = async (context: JobContext) => {
        began.resolve(context);
        const stopped = once(context.signal, 'abort').then(() => {
          throw new Error('stopped');
        });
        return Promise.race([end.promise, stopped]);
      };
      return { began: began.promise, end, job: { name, everyMs: FAR_MS, run, ...job } };
    }

    test('run when they are due, again and again, and only one of several replicas at a time', async (t) => {
      const name = newName();
      let running = 0;
      let most = 0;
      let runs = 0;
      const job = {
        name,
        everyMs: 1,
        async run() {
          most = Math.max(most, ++running);
          await sleep(3);
          runs++;
          running--;
        },
      };
      for (const jobs of [replica(t, job), replica(t, job), replica(t, job)]) await jobs.start();
      await eventually(async () => {
        assert.ok(runs > 15);
      });
      assert.equal(most, 1);
    });

    test('do not run before they are due', async (t) => {
      const [early, due] = [newName(), newName()];
      const runs: string[] = [];
      const jobs = replica(t);
      for (const [name, everyMs] of [
        [early, FAR_MS],
        [due, 1],
      ] as const)
        jobs.register({
          name,
          everyMs,
          run: async () => {
            runs.push(name);
          },
        });
      await jobs.start();
      await eventually(async () => {
        assert.ok(runs.length > 3);
      });
      assert.ok(!runs.includes(early));
    });

    test('run at once when they are asked for, and what they return can be read from every replica', async (t) => {
      const name = newName();
      const job = { name, run: async () => ({ removed: 3 }) };
      const [asked, other] = [replica(t, job, { pollMs: FAR_MS }), replica(t)];
      await asked.start();
      await asked.runNow(name);
      await eventually(async () => {
        assert.equal((await stateOf(other, name)).outcome, 'succeeded');
      });
      const { result, running, dueAt, startedAt, endedAt } = await stateOf(other, name);
      assert.deepEqual([result, running, dueAt], [{ removed: 3 }, false, undefined]);
      assert.ok(startedAt !== undefined && endedAt !== undefined && startedAt <= endedAt);
    });

    test('are found by another replica when one that does not run them asks', async (t) => {
      const { began, end, job } = heldJob(newName());
      const [running, asking] = [replica(t, job), replica(t, job)];
      await running.start();
      await asking.runNow(job.name);
      await began;
      await assert.rejects(asking.runNow(job.name), { code: 'job_running', status: 409 });
      end.resolve('done');
      await eventually(async () => {
        assert.equal((await stateOf(asking, job.name)).result, 'done');
      });
    });

    test('show their progress to every replica while they run', async (t) => {
      const { began, end, job } = heldJob(newName());
      const [running, watching] = [replica(t, job), replica(t)];
      await running.start();
      await running.runNow(job.name);
      (await began).progress({ done: 1 });
      await eventually(async () => {
        assert.deepEqual((await stateOf(watching, job.name)).progress, { done: 1 });
      });
      assert.ok((await stateOf(watching, job.name)).running);
      (await began).progress({ done: 2 });
      (await began).progress({ done: 3 });
      end.resolve(undefined);
      await eventually(async () => {
        assert.equal((await stateOf(watching, job.name)).running, false);
      });
      assert.deepEqual((await stateOf(watching, job.name)).progress, { done: 3 });
    });

    test('that fail are told and tried again later, with the progress of the failed run at hand', async (t) => {
      const name = newName();
      const failures: unknown[] = [];
      const seen: unknown[] = [];
      const job: Job = {
        name,
        async run({ progress, interrupted }) {
          seen.push(interrupted);
          if (seen.length > 3) return 'at last';
          progress(seen.length);
          throw new Error(`failure ${seen.length}`);
        },
      };
      const jobs = replica(t, job, { onError: (error) => failures.push((error as Error).message) });
      await jobs.start();
      await jobs.runNow(name);
      await eventually(async () => {
        assert.equal((await stateOf(jobs, name)).outcome, 'succeeded');
      });
      assert.deepEqual(failures, ['failure 1', 'failure 2', 'failure 3']);
      assert.deepEqual(seen, [undefined, 1, 2, 3]);
      assert.equal((await stateOf(jobs, name)).error, undefined);
    });

    test('that failed say why, and wait before they are tried again', async (t) => {
      const name = newName();
      const jobs = replica(
        t,
        { name, run: () => Promise.reject(new Error('secret')) },
        { backOffMs: FAR_MS, onError: () => undefined },
      );
      await jobs.start();
      await jobs.runNow(name);
      await eventually(async () => {
        assert.equal((await stateOf(jobs, name)).outcome, 'failed');
      });
      const { error, dueAt, running, endedAt } = await stateOf(jobs, name);
      assert.deepEqual([error, running], ['internal_error', false]);
      assert.ok(Date.parse(dueAt ?? '') - Date.parse(endedAt ?? '') > FAR_MS / 2);
    });

    test('pass to another replica at once, with their progress, when theirs stops', async (t) => {
      const name = newName();
      const [first, second] = [heldJob(name), heldJob(name)];
      const stopping = replica(t, first.job);
      await stopping.start();
      await stopping.runNow(name);
      (await first.began).progress({ done: 5 });
      await replica(t, second.job).start();
      await stopping.close();
      assert.ok((await first.began).signal.aborted);
      assert.deepEqual((await second.began).interrupted, { done: 5 });
      second.end.resolve('continued');
      await eventually(async () => {
        assert.equal((await stateOf(stopping, name)).result, 'continued');
      });
    });

    test('pass to another replica, with their progress, when the process of theirs is killed', async (t) => {
      const { began, end, job } = heldJob(newName());
      const child = await startChild(t, opened.url, job.name);
      const survivor = replica(t, job);
      await survivor.start();
      assert.ok((await stateOf(survivor, job.name)).running);
      child.kill('SIGKILL');
      assert.deepEqual((await began).interrupted, { done: 7 });
      end.resolve('taken over');
      await eventually(async () => {
        assert.equal((await stateOf(survivor, job.name)).result, 'taken over');
      });
    });

    test('of a replica that was taken for dead write nothing any more', async (t) => {
      const name = newName();
      const [first, second] = [heldJob(name), heldJob(name)];
      const paused = replica(t, first.job);
      await paused.start();
      await paused.runNow(name);
      const { assertHeld, progress } = await first.began;
      await database.db
        .updateTable('leases')
        .set({ expires_at: '2000-01-01T00:00:00.000Z' })
        .where('name', '=', name)
        .execute();
      await replica(t, second.job).start();
      (await second.began).progress('of the second');
      progress('of the first');
      await assert.rejects(
        database.transaction((tx) => assertHeld(tx)),
        { code: 'lease_lost' },
      );
      first.end.resolve('of the first');
      await paused.close();
      second.end.resolve('of the second');
      await eventually(async () => {
        assert.equal((await stateOf(paused, name)).outcome, 'succeeded');
      });
      const { progress: shown, result } = await stateOf(paused, name);
      assert.deepEqual([shown, result], ['of the second', 'of the second']);
    });

    test('wait for whoever holds their lease, as a backup does, and run when it is given back', async (t) => {
      const { began, job } = heldJob(newName());
      const [jobs, backup] = [replica(t, job), replica(t)];
      await jobs.start();
      const lease = await backup.leases.acquire(job.name);
      assert.ok(lease);
      await assert.rejects(jobs.runNow(job.name), { code: 'job_running' });
      await database.db
        .updateTable('job_runs')
        .set({ due_at: '2000-01-01T00:00:00.000Z' })
        .where('name', '=', job.name)
        .execute();
      assert.ok(!(await stateOf(jobs, job.name)).running);
      await lease.release();
      await began;
    });

    test('can be run to their end by a process without a loop, as the command line does', async (t) => {
      const name = newName();
      const shown: unknown[] = [];
      const jobs = replica(t, {
        name,
        everyMs: FAR_MS,
        async run({ progress }) {
          progress(1);
          progress(2);
          return 'all';
        },
      });
      assert.equal(await jobs.runHere(name, { onProgress: (value) => shown.push(value) }), 'all');
      assert.deepEqual(shown, [1, 2]);
      const { result, dueAt } = await stateOf(jobs, name);
      assert.equal(result, 'all');
      assert.ok(dueAt !== undefined);
    });

    test('of a process without a loop do not run beside those of a server, and tell what went wrong', async (t) => {
      const { began, job } = heldJob(newName());
      const [server, tool] = [replica(t, job), replica(t, { ...job, run: () => Promise.reject(new Error('broken')) })];
      await assert.rejects(tool.runHere(job.name), /broken/);
      await server.start();
      await server.runNow(job.name);
      await began;
      await assert.rejects(tool.runHere(job.name), { code: 'job_running' });
      await server.close();
    });

    test('go on after the database was away for a while, and that is told once', async (t) => {
      const { began, job } = heldJob(newName());
      const failures: unknown[] = [];
      const jobs = replica(t, job, { onError: (error) => failures.push(error) });
      await jobs.start();
      await sql`alter table job_runs rename to job_runs_away`.execute(database.db);
      await eventually(async () => {
        assert.ok(failures.length > 0);
      });
      await sleep(100);
      await sql`alter table job_runs_away rename to job_runs`.execute(database.db);
      assert.equal(failures.length, 1);
      await replica(t, job).runNow(job.name);
      await began;
    });
  });
}

function fail(error: unknown): never {
  throw error;
}

/** Starts a process that runs a job of this name, and returns once its progress is written. */
async function startChild(t: TestContext, url: string, name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'jobs-child.ts'), url, name, '400'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(line.toString(), 'running\n');
  return child;
}
