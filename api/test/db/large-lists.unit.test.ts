// Statements about lists that are longer than the parameters of one statement, on both databases.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { mirrorRepository } from '../../src/artefacts/mirror-repository.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { rowBatches } from '../../src/db/index.ts';
import { remoteRepository } from '../../src/remotes/repository.ts';
import { sampleArtefact } from '../artefacts/samples.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const MAX_PARAMETERS = 32_766;
/** More rows than one statement holds, even with a single column. */
const LENGTH = MAX_PARAMETERS + 1;
const REMOTE = 'https://registry.example';

test('batches of rows of any width stay below the limit, and lose and reorder nothing', () => {
  for (let columns = 1; columns <= 40; columns += 3) {
    const rows = Array.from({ length: 2_000 * (1 + (columns % 2)) }, (_unused, index) =>
      Object.fromEntries(Array.from({ length: columns }, (_none, column) => [`c${column}`, index])),
    );
    const batches = rowBatches(rows);
    assert.ok(batches.every((batch) => batch.length > 0 && batch.length * columns <= MAX_PARAMETERS));
    assert.deepEqual(batches.flat(), rows);
  }
  assert.deepEqual(rowBatches([]), []);
});

for (const dialect of DIALECTS) {
  describe(`a long list on ${dialect}`, () => {
    let opened: TestDatabase;
    const ids = Array.from({ length: LENGTH }, (_unused, index) => `a${index}`);
    before(async () => {
      opened = await openTestDatabase(dialect);
      await remoteRepository(opened.database.db).insert({
        id: REMOTE,
        name: 'remote',
        api_key: null,
        api_key_short_id: null,
        schedule: null,
        selected_patterns: '["**"]',
        next_full_at: null,
      });
    });
    after(() => opened.close());

    test('of artefacts is selected, selected again by id, and gets its results', async () => {
      const remotes = remoteRepository(opened.database.db);
      await remotes.select(REMOTE, ids, false);
      await remotes.select(REMOTE, ids, true);
      await remotes.putAll(REMOTE, ids, 'unchanged', '2026-01-01T00:00:00.000Z');
      const results = await remotes.results(REMOTE);
      assert.equal(results.length, LENGTH);
      assert.ok(results.every(({ selected, status }) => selected && status === 'unchanged'));
    });

    test('of origins is read', async () => {
      const artefact = sampleArtefact({ id: ids.at(-1)!, origin: REMOTE });
      await artefactRepository(opened.database.db).insert(artefact, renderDocuments(artefact, []));
      const mirrors = mirrorRepository(opened.database.db);
      assert.deepEqual([...(await mirrors.origins(ids))], [[artefact.id, REMOTE]]);
    });

    test('of accounts shares an artefact', async () => {
      const artefact = sampleArtefact({ id: 'shared' });
      const accounts = ids.map((id) => ({ type: 'user' as const, id }));
      const artefacts = artefactRepository(opened.database.db);
      await artefacts.insert(artefact, renderDocuments(artefact, []));
      await artefacts.putPrivateAccess(artefact.id, accounts);
      assert.equal((await artefacts.findPrivateAccess(artefact.id)).length, LENGTH);
    });
  });
}
