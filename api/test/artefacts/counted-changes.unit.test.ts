import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artefact } from '../../src/artefacts/artefact.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

for (const dialect of DIALECTS) {
  test(
    'counts of lists are let go of by what may change them, and by nothing else that is known, ' + `on ${dialect}`,
    async () => {
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
        const isCounted = async (changes: Partial<Artefact>, previous: Artefact | undefined) => {
          const was = await version();
          const changed = { ...before, ...changes };
          await database.transaction((tx) =>
            artefactRepository(tx).update(changed, renderDocuments(changed, []), previous),
          );
          return (await version()) !== was;
        };
        const newBytes = {
          version: '1.0.1',
          dataUpdatedAt: '2026-02-01T00:00:00.000Z',
          updatedAt: '2026-02-01T00:00:00.000Z',
          lastModifiedSeconds: before.lastModifiedSeconds + 1,
        };
        assert.equal(await isCounted(newBytes, before), false);
        // Who writes access entries gives no artefact to compare with: those are in no row that could be compared.
        assert.equal(await isCounted(newBytes, undefined), true);
        for (const changes of [
          { category: 'other' },
          { public: true },
          { deprecated: true },
          { origin: 'https://example.org' },
          { group: { en: 'Import' } },
          { packageName: '@acme/other' },
          { title: { en: 'Another' } },
        ]) {
          assert.equal(await isCounted(changes, before), true, JSON.stringify(changes));
        }
      } finally {
        await close();
      }
    },
  );
}
