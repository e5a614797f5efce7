import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artefact } from '../../src/artefacts/artefact.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository, type StoredArtefact } from '../../src/artefacts/repository.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

for (const dialect of DIALECTS) {
  test(`an update invalidates cached list counts only if it may change them, on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    try {
      const before = sampleArtefact();
      await database.transaction((tx) => artefactRepository(tx).insert(before, renderDocuments(before, [])));
      const version = async () =>
        Number(
          (
            await database.db
              .selectFrom('list_versions')
              .select((eb) => eb.fn.sum<number>('version').as('sum'))
              .executeTakeFirstOrThrow()
          ).sum,
        );
      const raisesVersion = async (changes: Partial<Artefact>, previous: StoredArtefact | undefined) => {
        const versionBefore = await version();
        const changed = { ...before, ...changes };
        await database.transaction((tx) =>
          artefactRepository(tx).update(changed, renderDocuments(changed, []), previous),
        );
        return (await version()) !== versionBefore;
      };
      const newBytes = {
        version: '1.0.1',
        dataUpdatedAt: '2026-02-01T00:00:00.000Z',
        updatedAt: '2026-02-01T00:00:00.000Z',
        lastModifiedSeconds: before.lastModifiedSeconds + 1,
      };
      const previous = { artefact: before, slots: [], isOutdated: false };
      assert.equal(await raisesVersion(newBytes, previous), false);
      // What an older version of the program has written may differ from what this one would have.
      assert.equal(await raisesVersion(newBytes, { ...previous, isOutdated: true }), true);
      // Updates that change access entries pass no previous artefact: its row does not contain them.
      assert.equal(await raisesVersion(newBytes, undefined), true);
      for (const changes of [
        { category: 'other' },
        { public: true },
        { deprecated: true },
        { origin: 'https://example.org' },
        { group: { en: 'Import' } },
        { packageName: '@acme/other' },
        { title: { en: 'Another' } },
      ]) {
        assert.equal(await raisesVersion(changes, previous), true, JSON.stringify(changes));
      }
    } finally {
      await close();
    }
  });
}
