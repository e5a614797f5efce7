import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { eventually } from '../support/eventually.ts';
import { DIALECTS } from '../support/test-database.ts';
import { manualJob, newName, openJobReplicas, stateOf, type JobReplicas } from './job-replicas.ts';

for (const dialect of DIALECTS) {
  describe(`jobs on ${dialect} during failures`, () => {
    let replicas: JobReplicas;
    before(async () => {
      replicas = await openJobReplicas(dialect);
    });
    after(() => replicas.close());
    const replica: JobReplicas['replica'] = (...args) => replicas.replica(...args);

    test('move to another replica immediately, with their progress, when their own stops', async (t) => {
      const name = newName();
      const [first, second] = [manualJob(name), manualJob(name)];
      const stopping = replica(t, first.job);
      await stopping.start();
      await replicas.runNow(stopping, name);
      (await first.started).progress({ done: 5 });
      await replica(t, second.job).start();
      await stopping.close();
      assert.ok((await first.started).signal.aborted);
      assert.deepEqual((await second.started).interrupted, { done: 5 });
      second.end.resolve('continued');
      await eventually(async () => {
        assert.equal((await stateOf(stopping, name)).result, 'continued');
      });
    });

    test('move to another replica, with their progress, when their process is killed', async (t) => {
      const { started, end, job } = manualJob(newName());
      const child = await startChild(t, replicas.url, job.name);
      const survivor = replica(t, job);
      await survivor.start();
      assert.ok((await stateOf(survivor, job.name)).running);
      child.kill('SIGKILL');
      assert.deepEqual((await started).interrupted, { done: 7 });
      end.resolve('taken over');
      await eventually(async () => {
        assert.equal((await stateOf(survivor, job.name)).result, 'taken over');
      });
    });

    test('of a replica whose lease has expired can no longer write', async (t) => {
      const name = newName();
      const [first, second] = [manualJob(name), manualJob(name)];
      const paused = replica(t, first.job);
      await paused.start();
      await replicas.runNow(paused, name);
      const { assertHeld, progress } = await first.started;
      await replicas.database.db
        .updateTable('leases')
        .set({ expires_at: '2000-01-01T00:00:00.000Z' })
        .where('name', '=', name)
        .execute();
      await replica(t, second.job).start();
      (await second.started).progress('of the second');
      progress('of the first');
      await assert.rejects(
        replicas.database.transaction((tx) => assertHeld(tx)),
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

    test('wait while something else, such as a backup, holds their lease, and run once it is released', async (t) => {
      const { started, job } = manualJob(newName());
      const [jobs, backup] = [replica(t, job), replica(t)];
      await jobs.start();
      const lease = await backup.leases.acquire(job.name);
      assert.ok(lease);
      await assert.rejects(replicas.runNow(jobs, job.name), { code: 'job_running' });
      await replicas.database.db
        .updateTable('job_runs')
        .set({ due_at: '2000-01-01T00:00:00.000Z' })
        .where('name', '=', job.name)
        .execute();
      assert.ok(!(await stateOf(jobs, job.name)).running);
      await lease.release();
      await started;
    });

    test('continue after an outage of the database, which is reported once', async (t) => {
      const { started, job } = manualJob(newName());
      const failures: unknown[] = [];
      const jobs = replica(t, job, { onError: (error) => failures.push(error) });
      await jobs.start();
      await sql`alter table job_runs rename to job_runs_away`.execute(replicas.database.db);
      await eventually(async () => {
        assert.ok(failures.length > 0);
      });
      await sleep(100);
      await sql`alter table job_runs_away rename to job_runs`.execute(replicas.database.db);
      assert.equal(failures.length, 1);
      await replicas.runNow(replica(t, job), job.name);
      await started;
    });
  });
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
