// Creates mirrors, which are artefacts with an origin.

import assert from 'node:assert/strict';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { databaseUrl } from '../../src/config/index.ts';
import { createDatabase } from '../../src/db/index.ts';
import type { TestServer } from '../support/test-server.ts';

export const ORIGIN = 'https://elsewhere.example/registry';

/** Turns an artefact into a mirror, directly in the database. */
export async function makeMirror({ server: { config } }: TestServer, id: string): Promise<void> {
  const database = createDatabase({ url: databaseUrl(config) });
  await database.transaction(async (tx) => {
    const artefacts = artefactRepository(tx);
    const stored = await artefacts.find(id);
    assert.ok(stored);
    const mirror = { ...stored.artefact, origin: ORIGIN };
    await artefacts.update(mirror, renderDocuments(mirror, stored.slots));
  });
  await database.close();
}
