import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { databaseUrl } from '../../src/config/index.ts';
import { createDatabase } from '../../src/db/index.ts';
import { startPair, type Pair } from '../remotes/pair.ts';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, type TestServer } from '../support/test-server.ts';
import { refusedTusUpload } from '../uploads/tus-client.ts';
import { artefactPath, listArtefacts, patchArtefact, readDocument, uploadArtefact } from './documents.ts';

const PLAIN = '@acme/map@1';
/** It looks like PLAIN. */
const INVISIBLE = '@acme/\u200bmap@1';
const FILE = Buffer.from('content');

for (const dialect of DIALECTS) {
  describe(`an id with a character that cannot be seen, on ${dialect},`, () => {
    let pair: Pair;
    let server: TestServer;
    before(async () => {
      pair = await startPair(dialect);
      server = pair.mirror;
      for (const registry of [pair.upstream, server]) {
        await uploadArtefact(registry, PLAIN, { format: 'file', file: FILE });
        await copyArtefact(registry, PLAIN, INVISIBLE);
      }
    });
    after(() => pair.close());

    test('is refused by uploads, which name the character', async () => {
      for (const id of [INVISIBLE, 'a\u202eb', 'a\u00ad']) {
        const { detail } = await readProblem(
          await server.upload(id, { format: 'file', file: FILE }),
          400,
          'artefact_id_invalid',
        );
        const name = id
          .match(/[\p{Cf}]/u)?.[0]
          .codePointAt(0)
          ?.toString(16)
          .toUpperCase()
          .padStart(4, '0');
        assert.ok(detail.includes(`U+${name}`), detail);
        await refusedTusUpload(server, id, { format: 'file', file: FILE }, 400, 'artefact_id_invalid');
      }
    });

    test('is mirrored neither by a pattern nor by name, while other artefacts of the registry are', async () => {
      await server.api('DELETE', artefactPath(PLAIN), { headers: server.internal });
      for (const id of [PLAIN, INVISIBLE]) await patchArtefact(pair.upstream, id, { public: true });
      await pair.remote.ask('PATCH', '', { selectedPatterns: ['@acme/*'] });
      const { lastSyncStatus, results } = await pair.remote.sync();
      assert.deepEqual([lastSyncStatus, results.map(({ artefactId }) => artefactId)], ['success', [PLAIN]]);
      await readProblem(
        await pair.remote.ask('POST', '/selected-artefacts', { artefactId: INVISIBLE }),
        400,
        'artefact_id_invalid',
      );
    });

    test('of an existing artefact is still read, edited and deleted', async () => {
      assert.equal((await readDocument(server, INVISIBLE))._id, INVISIBLE);
      assert.ok((await listArtefacts(server)).results.some(({ _id }) => _id === INVISIBLE));
      assert.equal((await patchArtefact(server, INVISIBLE, { public: true })).public, true);
      const download = await server.api('GET', artefactPath(INVISIBLE, '/download'), { headers: server.internal });
      assert.equal(await download.text(), 'content');
      assert.equal((await server.api('DELETE', artefactPath(INVISIBLE), { headers: server.internal })).status, 204);
    });
  });
}

/** Copies an artefact to an id that uploads would refuse, directly in the database. */
async function copyArtefact({ server: { config } }: TestServer, from: string, to: string): Promise<void> {
  const database = createDatabase({ url: databaseUrl(config) });
  await database.transaction(async (tx) => {
    const artefacts = artefactRepository(tx);
    const { artefact, slots } = (await artefacts.find(from))!;
    const copy = { ...artefact, id: to };
    await artefacts.insert(copy, renderDocuments(copy, slots));
    for (const slot of slots) await artefacts.putSlot(to, slot);
  });
  await database.close();
}
