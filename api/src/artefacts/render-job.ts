// Renews what older versions of the program have stored of artefacts: their documents, and the columns that they are
// listed by. Nothing of an artefact changes, its dates included.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/index.ts';
import type { Job } from '../jobs/index.ts';
import { renderDocuments } from './document.ts';
import { findOutdatedDocuments, lockArtefacts } from './document-repository.ts';
import { artefactRepository } from './repository.ts';

/** Number of artefacts renewed so far. */
type Progress = number;

/** An embedded database blocks the event loop for some 5 ms; other writers wait as long. */
const BATCH_SIZE = 20;
/** The rest of the time is for requests. */
const SHARE_OF_TIME = 0.5;
/** A replica of an older version may change artefacts during an upgrade. */
const CHECK_EVERY_MS = 3_600_000;

export function createRenderJob({ database }: { database: Database }): Job<Progress, Progress> {
  return {
    name: 'documents.render',
    everyMs: CHECK_EVERY_MS,
    isDueAtStart: async () => (await findOutdatedDocuments(database.db, 1)).length > 0,
    async run({ signal, progress, assertHeld }) {
      for (let renewed = 0; ; progress(renewed)) {
        const startedAt = performance.now();
        const ids = await findOutdatedDocuments(database.db, BATCH_SIZE);
        if (ids.length === 0) return renewed;
        await database.transaction(async (tx) => {
          await assertHeld(tx);
          // All locks come first: a writer holds that of its artefact while it waits for the version of the lists.
          await lockArtefacts(tx, database.dialect, ids);
          const artefacts = artefactRepository(tx);
          const stored = await artefacts.findAll(ids);
          await artefacts.renew(
            stored.map(({ artefact, slots }) => ({ artefact, documents: renderDocuments(artefact, slots) })),
          );
        });
        renewed += ids.length;
        await sleep(((performance.now() - startedAt) * (1 - SHARE_OF_TIME)) / SHARE_OF_TIME, undefined, { signal });
      }
    },
  };
}
