// A view is of one moment: what is committed between its queries never makes it idle with an artefact to come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createJobs, type Jobs } from '../../src/jobs/index.ts';
import { createRegistry } from '../../src/remotes/registry.ts';
import { jobName } from '../../src/remotes/remote.ts';
import { remoteRepository } from '../../src/remotes/repository.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const ID = 'https://registry.example.org';

for (const dialect of DIALECTS) {
  describe(`the view of a remote registry on ${dialect}`, () => {
    let opened: TestDatabase;
    let jobs: Jobs;
    before(async () => {
      opened = await openTestDatabase(dialect);
      jobs = createJobs({ database: opened.database, onError: assert.ifError });
      await remoteRepository(opened.database.db).insert({
        id: ID,
        name: 'original',
        api_key: null,
        api_key_short_id: null,
        schedule: null,
        selected_patterns: '[]',
        next_full_at: null,
      });
    });
    after(async () => {
      await jobs.close();
      await opened.close();
    });

    const select = (artefactId: string) =>
      opened.database.transaction(async (tx) => {
        await remoteRepository(tx).select(ID, [artefactId], true);
        await jobs.request(tx, jobName(ID));
      });
    /** Runs the job to its end, as a synchronisation does. */
    const run = async (artefactId: string) => {
      jobs.register({
        name: jobName(ID),
        run: async () => {
          await remoteRepository(opened.database.db).putAll(ID, [artefactId], 'unchanged', new Date().toISOString());
        },
      });
      await jobs.runHere(jobName(ID));
    };

    for (const at of [1, 2, 3]) {
      test(`is true to what happens after its query ${at} of the state`, async () => {
        for (const [from, to] of [
          ['selected', 'selected again'],
          ['none', 'selected'],
          ['selected', 'done'],
        ] as const) {
          const id = `${from}-${to}-${at}`.replaceAll(' ', '-');
          if (from === 'selected') await select(id);
          let reads = 0;
          const states: Jobs['states'] = async (...parameters) => {
            const result = await jobs.states(...parameters);
            if (++reads === at) await (to === 'done' ? run(id) : select(`${id}-more`));
            return result;
          };
          const view = await createRegistry({ database: opened.database, jobs: { ...jobs, states } }).view(ID);
          const pending = view?.results.filter(({ status }) => status === 'pending') ?? [];
          assert.ok(view?.syncState === 'running' || pending.length === 0, JSON.stringify(view));
          for (const { artefactId, status } of await remoteRepository(opened.database.db).results(ID))
            if (status === 'pending') await run(artefactId);
        }
      });
    }
  });
}
