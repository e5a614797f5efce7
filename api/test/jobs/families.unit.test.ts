import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Database } from '../../src/db/index.ts';
import { createJobs, type JobContext, type Jobs } from '../../src/jobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const FAR_MS = 3_600_000;

for (const dialect of DIALECTS) {
  describe(`a family of jobs on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    let count = 0;
    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    after(() => opened.close());

    /** Creates a replica with one family, whose members call `run`. */
    function family(
      t: TestContext,
      run: (key: string, context: JobContext) => Promise<unknown>,
      { prefix = `family.${++count}`, keys = [] as string[], nextInMs = undefined as number | undefined } = {},
    ): { jobs: Jobs; nameOf: (key: string) => string } {
      const jobs = createJobs({
        database,
        onError: (error) => {
          throw error;
        },
        pollMs: 10,
      });
      t.after(() => jobs.close());
      jobs.registerFamily({
        prefix,
        keys: () => Promise.resolve(keys),
        job: (key) => ({ run: (context) => run(key, context), nextInMs: () => Promise.resolve(nextInMs) }),
      });
      return { jobs, nameOf: (key) => `${prefix}:${key}` };
    }
    const schedule = (jobs: Jobs, name: string, inMs: number | undefined) =>
      database.transaction(async (tx) => {
        if (inMs === 0) await jobs.request(tx, name);
        else await jobs.schedule(tx, name, inMs);
      });
    const stateOf = async (jobs: Jobs, name: string) => (await jobs.states([name])).get(name);

    test('runs each due member with its key, which may contain any characters', async (t) => {
      const ran: string[] = [];
      const { jobs, nameOf } = family(t, (key) => Promise.resolve(ran.push(key)));
      await jobs.start();
      await schedule(jobs, nameOf('https://example.org:8080/a%'), 0);
      await schedule(jobs, nameOf('later'), FAR_MS);
      await eventually(() => {
        assert.deepEqual(ran, ['https://example.org:8080/a%']);
        return Promise.resolve();
      });
      assert.equal((await stateOf(jobs, nameOf('later')))?.startedAt, undefined);
    });

    test('inserts the missing rows of its members at the start', async (t) => {
      const { jobs, nameOf } = family(t, () => Promise.resolve(), { keys: ['a', 'b'], nextInMs: FAR_MS });
      await jobs.start();
      for (const key of ['a', 'b'])
        assert.ok(Date.parse((await stateOf(jobs, nameOf(key)))?.dueAt ?? '') > Date.now());
    });

    test('is due again after the delay that its member returns', async (t) => {
      const { jobs, nameOf } = family(t, () => Promise.resolve('done'), { nextInMs: FAR_MS });
      await jobs.start();
      await schedule(jobs, nameOf('x'), 0);
      await eventually(async () => {
        assert.equal((await stateOf(jobs, nameOf('x')))?.outcome, 'succeeded');
      });
      assert.ok(Date.parse((await stateOf(jobs, nameOf('x')))?.dueAt ?? '') > Date.now());
    });

    test('runs a member once more if it was scheduled during its run', async (t) => {
      let runs = 0;
      const first = Promise.withResolvers<unknown>();
      const { jobs, nameOf } = family(t, () => (++runs === 1 ? first.promise : Promise.resolve()));
      await jobs.start();
      await schedule(jobs, nameOf('x'), 0);
      await eventually(() => {
        assert.equal(runs, 1);
        return Promise.resolve();
      });
      await schedule(jobs, nameOf('x'), 0);
      first.resolve(undefined);
      await eventually(() => {
        assert.equal(runs, 2);
        return Promise.resolve();
      });
      await eventually(async () => {
        assert.equal((await stateOf(jobs, nameOf('x')))?.dueAt, undefined);
      });
      assert.equal(runs, 2);
    });

    test('leaves no state of a member that was removed during its run', async (t) => {
      const started = Promise.withResolvers<unknown>();
      const end = Promise.withResolvers<unknown>();
      const { jobs, nameOf } = family(t, () => {
        started.resolve(undefined);
        return end.promise;
      });
      await jobs.start();
      await schedule(jobs, nameOf('x'), 0);
      await started.promise;
      await database.transaction((tx) => jobs.remove(tx, nameOf('x')));
      end.resolve(undefined);
      await jobs.close();
      assert.equal(await stateOf(jobs, nameOf('x')), undefined);
    });
  });
}
