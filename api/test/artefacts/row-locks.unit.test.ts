import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { openTestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

test('on PostgreSQL, updating an artefact does not wait for a transaction that only references it', async () => {
  const { database, close } = await openTestDatabase('postgres');
  try {
    const artefact = sampleArtefact();
    await database.transaction((tx) => artefactRepository(tx).insert(artefact, renderDocuments(artefact, [])));
    await database.transaction(async (tx) => {
      await artefactRepository(tx).putPrivateAccess(artefact.id, [{ type: 'user', id: 'ada' }]);
      const updating = database.transaction(async (other) => {
        assert.ok(await artefactRepository(other).lock(artefact.id));
        const changed = { ...artefact, title: { en: 'Another' } };
        await artefactRepository(other).update(changed, renderDocuments(changed, []));
      });
      // If it waited for this transaction, which ends only after it, it would time out.
      await updating;
    });
    assert.deepEqual((await artefactRepository(database.db).find(artefact.id))?.artefact.title, { en: 'Another' });
  } finally {
    await close();
  }
});
