import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../../src/jobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS } from '../support/test-database.ts';
import { FAR_MS, manualJob, newName, openJobReplicas, stateOf, type JobReplicas } from './job-replicas.ts';

for (const dialect of DIALECTS) {
  describe(`jobs on ${dialect}`, () => {
    let replicas: JobReplicas;
    before(async () => {
      replicas = await openJobReplicas(dialect);
    });
    after(() => replicas.close());
    const replica: JobReplicas['replica'] = (...args) => replicas.replica(...args);

    test('run repeatedly when they are due, in one replica at a time', async (t) => {
      const name = newName();
      let running = 0;
      let mostRunning = 0;
      let runs = 0;
      const job = {
        name,
        everyMs: 1,
        async run() {
          mostRunning = Math.max(mostRunning, ++running);
          await sleep(3);
          runs++;
          running--;
        },
      };
      for (const jobs of [replica(t, job), replica(t, job), replica(t, job)]) await jobs.start();
      await eventually(async () => {
        assert.ok(runs > 15);
      });
      assert.equal(mostRunning, 1);
    });

    test('are due by their present interval after a restart, also if it was another one before', async (t) => {
      const name = newName();
      const dueInMs = async () => {
        const at = (await stateOf(replica(t), name))?.dueAt;
        return at === undefined ? undefined : Date.parse(at) - Date.now();
      };
      const startWith = async (everyMs: number | undefined) => {
        const jobs = replica(t, { name, ...(everyMs !== undefined && { everyMs }), run: () => Promise.resolve() });
        await jobs.start();
        return dueInMs();
      };
      assert.equal(await startWith(undefined), undefined);
      const month = (await startWith(30 * FAR_MS)) ?? 0;
      assert.ok(month > 26 * FAR_MS, `${month}`);
      const day = (await startWith(FAR_MS)) ?? 0;
      assert.ok(day > 0 && day < 1.2 * FAR_MS, `${day}`);
      // A longer interval counts from the next run on.
      assert.ok(((await startWith(30 * FAR_MS)) ?? 0) <= day);
      assert.equal(await startWith(undefined), undefined);
    });

    test('run at the start if there is work then, and else at their interval', async (t) => {
      const name = newName();
      let runs = 0;
      let hasWork = false;
      const restart = async () => {
        const jobs = replica(t, {
          name,
          everyMs: FAR_MS,
          isDueAtStart: () => Promise.resolve(hasWork),
          run: async () => {
            runs++;
          },
        });
        await jobs.start();
        return Date.parse((await stateOf(jobs, name))?.dueAt ?? '') - Date.now();
      };
      assert.ok((await restart()) > FAR_MS / 2);
      hasWork = true;
      await restart();
      await eventually(async () => {
        assert.equal(runs, 1);
      });
      hasWork = false;
      assert.ok((await restart()) > FAR_MS / 2);
      assert.equal(runs, 1);
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

    test('run immediately on demand, and every replica can read their result', async (t) => {
      const name = newName();
      const job = { name, run: async () => ({ removed: 3 }) };
      const [runner, other] = [replica(t, job, { pollMs: FAR_MS }), replica(t)];
      await runner.start();
      await replicas.runNow(runner, name);
      await eventually(async () => {
        assert.equal((await stateOf(other, name)).outcome, 'succeeded');
      });
      const { result, running, dueAt, startedAt, endedAt } = await stateOf(other, name);
      assert.deepEqual([result, running, dueAt], [{ removed: 3 }, false, undefined]);
      assert.ok(startedAt !== undefined && endedAt !== undefined && startedAt <= endedAt);
    });

    test('that are requested in one replica run in another one that polls', async (t) => {
      const { started, end, job } = manualJob(newName());
      const [runner, requester] = [replica(t, job), replica(t, job)];
      await runner.start();
      await replicas.runNow(requester, job.name);
      await started;
      await assert.rejects(replicas.runNow(requester, job.name), { code: 'job_running', status: 409 });
      end.resolve('done');
      await eventually(async () => {
        assert.equal((await stateOf(requester, job.name)).result, 'done');
      });
    });

    test('show their progress in every replica while they run', async (t) => {
      const { started, end, job } = manualJob(newName());
      const [running, watching] = [replica(t, job), replica(t)];
      await running.start();
      await replicas.runNow(running, job.name);
      (await started).progress({ done: 1 });
      await eventually(async () => {
        assert.deepEqual((await stateOf(watching, job.name)).progress, { done: 1 });
      });
      assert.ok((await stateOf(watching, job.name)).running);
      (await started).progress({ done: 2 });
      (await started).progress({ done: 3 });
      end.resolve(undefined);
      await eventually(async () => {
        assert.equal((await stateOf(watching, job.name)).running, false);
      });
      assert.deepEqual((await stateOf(watching, job.name)).progress, { done: 3 });
    });

    test('that fail are reported and retried, with the progress of the failed run', async (t) => {
      const name = newName();
      const failures: unknown[] = [];
      const interruptedProgress: unknown[] = [];
      const job: Job = {
        name,
        async run({ progress, interrupted }) {
          const attempt = interruptedProgress.push(interrupted);
          if (attempt > 3) return 'succeeded';
          progress(attempt);
          throw new Error(`failure ${attempt}`);
        },
      };
      const jobs = replica(t, job, { onError: (error) => failures.push((error as Error).message) });
      await jobs.start();
      await replicas.runNow(jobs, name);
      await eventually(async () => {
        assert.equal((await stateOf(jobs, name)).outcome, 'succeeded');
      });
      assert.deepEqual(failures, ['failure 1', 'failure 2', 'failure 3']);
      assert.deepEqual(interruptedProgress, [undefined, 1, 2, 3]);
      assert.equal((await stateOf(jobs, name)).error, undefined);
    });

    test('that failed show an error code and wait for their back-off', async (t) => {
      const name = newName();
      const jobs = replica(
        t,
        { name, run: () => Promise.reject(new Error('secret')) },
        { backOffMs: FAR_MS, onError: () => undefined },
      );
      await jobs.start();
      await replicas.runNow(jobs, name);
      await eventually(async () => {
        assert.equal((await stateOf(jobs, name)).outcome, 'failed');
      });
      const { error, dueAt, running, endedAt } = await stateOf(jobs, name);
      assert.deepEqual([error, running], ['internal_error', false]);
      assert.ok(Date.parse(dueAt ?? '') - Date.parse(endedAt ?? '') > FAR_MS / 2);
    });

    test('can be run to completion by a process that does not poll, such as the command line', async (t) => {
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

    test('run by the command line are exclusive with those of a server, and throw their error', async (t) => {
      const { started, job } = manualJob(newName());
      const [server, tool] = [replica(t, job), replica(t, { ...job, run: () => Promise.reject(new Error('broken')) })];
      await assert.rejects(tool.runHere(job.name), /broken/);
      await server.start();
      await replicas.runNow(server, job.name);
      await started;
      await assert.rejects(tool.runHere(job.name), { code: 'job_running' });
      await server.close();
    });
  });
}
