// An account that is deleted takes its events with it: a later account with the same ID sees none of them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { readAll } from './event-readers.ts';
import { createWorld, type World } from './event-world.ts';

const DELETIONS = {
  'an organisation': { path: '/organizations/acme', lost: ['acme', 'acme/geo'], kept: ['uma'] },
  'a department': { path: '/organizations/acme/departments/geo', lost: ['acme/geo'], kept: ['acme', 'uma'] },
};
const CALLERS: Record<string, string> = {
  'acme': 'an internal service for acme',
  'acme/geo': 'an internal service for acme/geo',
  'uma': 'an internal service for uma',
};

for (const dialect of DIALECTS) {
  for (const [name, { path, lost, kept }] of Object.entries(DELETIONS)) {
    describe(`events that ${name} could see, on ${dialect}`, () => {
      let world: World;
      before(async () => {
        world = await createWorld(dialect);
        for (const account of Object.keys(CALLERS))
          for (const state of ['present', 'deleted', 'again']) {
            const id = `${state}-${account.replace('/', '-')}`;
            await world.step(id, 'upload');
            await world.step(id, `share:${account}`);
            if (state !== 'present') await world.step(id, 'delete');
            if (state === 'again') await world.step(id, 'upload');
          }
      });
      after(() => world.close());

      const subjects = async (account: string) => {
        await world.untilReadable();
        const events = await readAll(world.app, world.callers[CALLERS[account]!]!);
        return [...new Set(events.map(({ subject }) => subject))].sort();
      };
      const own = (account: string) =>
        ['again', 'deleted', 'present'].map((it) => `${it}-${account.replace('/', '-')}`);

      test('are not for the next one with its ID; those of other accounts stay', async () => {
        // A department also sees what its organisation sees.
        assert.deepEqual(await subjects('acme/geo'), [...own('acme'), ...own('acme/geo')].sort());
        const response = await world.app.api('DELETE', path, { headers: world.callers['a superadmin']! });
        assert.ok(response.ok, await response.text());
        for (const account of lost) {
          const left = await subjects(account);
          assert.ok(
            own(account).every((id) => !left.includes(id)),
            `${account} sees ${left.join(', ')}`,
          );
        }
        for (const account of kept) assert.deepEqual(await subjects(account), own(account));
        await world.untilReadable();
        const changes = await readAll(world.app, world.app.internal, { types: 'artefact.access_changed' });
        assert.deepEqual(
          changes
            .slice(-lost.length)
            .map(({ subject }) => subject)
            .sort(),
          lost.map((account) => `present-${account.replace('/', '-')}`).sort(),
        );
      });
    });
  }
}
