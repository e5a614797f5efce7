import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { RESERVED_IDS } from '../../src/artefacts/operations.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { databaseUrl } from '../../src/config/index.ts';
import { createDatabase } from '../../src/db/index.ts';
import { readUpstreamArtefact } from '../../src/upstream/documents.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { refusedTusUpload } from '../uploads/tus-client.ts';
import { listArtefacts, patchArtefact, readDocument, uploadArtefact } from './documents.ts';

/** Fixed, also for routes to come: choosing an id depends on it. */
const RESERVED = ['npm', 'file', 'groups', 'scan-summary', 'facets'];
/** Their routes exist today. */
const TAKEN = ['npm', 'file', 'groups'];

for (const dialect of DIALECTS) {
  describe(`reserved ids on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    test('are those of all routes that stand directly below /artefacts', async () => {
      const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as { paths: Record<string, object> };
      const taken = Object.keys(paths)
        .map((path) => /^\/api\/v1\/artefacts\/([^/{]+)(\/|$)/.exec(path)?.[1])
        .filter((name) => name !== undefined);
      assert.deepEqual([...new Set(taken)].sort(), TAKEN.toSorted());
      assert.deepEqual([...RESERVED_IDS], RESERVED);
      for (const id of taken) assert.ok(RESERVED_IDS.has(id), id);
    });

    for (const id of RESERVED) {
      test(`${id} takes no uploads of any kind, and no mirror`, async () => {
        const file = await npmTarball();
        for (const format of ['npm', 'file'] as const) {
          await readProblem(await server.upload(id, { format, file }), 400, 'artefact_id_invalid');
          await refusedTusUpload(server, id, { format, file }, 400, 'artefact_id_invalid');
        }
        const document = { _id: id, format: 'file', fileName: 'a', dataUpdatedAt: '2026-01-01T00:00:00.000Z' };
        assert.throws(() => readUpstreamArtefact(document, { categories: ['other'] }), /reserved/);
      });

      test(`${id}, of an artefact from before, is read, edited, downloaded and deleted`, async () => {
        await giveId(server, id);
        assert.ok((await listArtefacts(server, '?size=1000')).results.some(({ _id }) => _id === id));
        const { title } = await patchArtefact(server, id, { title: { fr: 'Ancien' } });
        assert.deepEqual(title, { fr: 'Ancien' });
        // GET /artefacts/groups is another route.
        if (id !== 'groups') assert.deepEqual((await readDocument(server, id)).title, title);
        const headers = server.internal;
        for (const path of ['download', 'tarball', 'packages', 'files'])
          assert.equal((await server.api('GET', `/artefacts/${id}/${path}`, { headers })).status, 200, path);
        await readProblem(await server.upload(id, { file: await npmTarball() }), 400, 'artefact_id_invalid');
        assert.equal((await server.api('DELETE', `/artefacts/${id}`, { headers })).status, 204);
        assert.ok(!(await listArtefacts(server, '?size=1000')).results.some(({ _id }) => _id === id));
      });
    }
  });
}

/** Uploads an artefact and gives it an id that no upload may have, directly in the database. */
async function giveId(server: TestServer, id: string): Promise<void> {
  await uploadArtefact(server, `free-${id}`, { file: await npmTarball() });
  const database = createDatabase({ url: databaseUrl(server.server.config) });
  await database.transaction(async (tx) => {
    const artefacts = artefactRepository(tx);
    const stored = await artefacts.find(`free-${id}`);
    assert.ok(stored);
    const artefact = { ...stored.artefact, id };
    await artefacts.insert(artefact, renderDocuments(artefact, stored.slots));
    for (const slot of stored.slots) await artefacts.putSlot(id, slot);
  });
  await database.close();
}
