import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { digestOf } from '../support/digests.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy, query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patchArtefact, readDocument, uploadArtefact, type Document } from './documents.ts';

/** Builds a tarball that differs in version, licence, schema and bytes, to recognise a document that mixes two. */
const build = (index: number) =>
  npmTarball({
    name: 'p',
    version: `${index}.0.0`,
    files: { 'index.js': `// ${index} ${'x'.repeat(index * 100)}` },
    manifest: { license: `L-${index}`, registry: { processingConfigSchema: { title: `S-${index}` } } },
  });
const BUILDS = await Promise.all(Array.from({ length: 20 }, (_value, index) => build(index + 1)));
const DIGESTS = BUILDS.map(digestOf);

for (const dialect of DIALECTS) {
  describe(`concurrent uploads on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const putSlot = (id: string, architecture: string, index: number) =>
      uploadArtefact(server, id, { file: BUILDS[index]!, fields: { architecture } });

    /** Fails unless the document could be the result of sequential uploads. */
    const assertConsistent = async (document: Document): Promise<void> => {
      for (const [architecture, slot] of Object.entries(document.tarballs ?? {})) {
        const index = DIGESTS.indexOf(slot.digest);
        assert.deepEqual([slot.version, slot.size], [`${index + 1}.0.0`, BUILDS[index]?.length]);
        assert.equal(slot.path, `npm/${document._id}/${architecture}-${slot.digest.slice(7, 23)}.tgz`);
      }
      const last = Object.values(document.tarballs ?? {}).reduce((one, other) =>
        one.uploadedAt > other.uploadedAt ? one : other,
      );
      const index = DIGESTS.indexOf(last.digest) + 1;
      assert.deepEqual(
        [document.version, document.licence, document.processingConfigSchema, document.size],
        [`${index}.0.0`, `L-${index}`, { title: `S-${index}` }, last.size],
      );
      assert.deepEqual([document.dataUpdatedAt, document.updatedAt], [last.uploadedAt, last.uploadedAt]);
    };

    test('to two slots both succeed, for a new and for an existing artefact', async () => {
      for (const id of ['new', 'new', 'present']) {
        if (id === 'present') await putSlot(id, 'noarch', 4);
        await Promise.all([putSlot(id, 'x64', 0), putSlot(id, 'arm64', 1)]);
        const document = await readDocument(server, id);
        assert.deepEqual(
          [document.tarballs?.['x64']?.version, document.tarballs?.['arm64']?.version],
          ['1.0.0', '2.0.0'],
        );
        await assertConsistent(document);
      }
    });

    test('to two slots both succeed when they end in reverse order', async () => {
      const first = await beginSlowUpload(server, {
        id: 'crossed',
        file: BUILDS[0]!,
        fields: { architecture: 'x64' },
      });
      const second = await beginSlowUpload(server, {
        id: 'crossed',
        file: BUILDS[1]!,
        fields: { architecture: 'arm64' },
      });
      assert.equal((await second.finish()).status, 201);
      assert.equal((await first.finish()).status, 201);
      const document = await readDocument(server, 'crossed');
      assert.deepEqual(Object.keys(document.tarballs ?? {}), ['arm64', 'x64']);
      assert.equal(document.version, '1.0.0');
      await assertConsistent(document);
    });

    test('to one slot leave the bytes that were committed last', async () => {
      const answers = await Promise.all(
        BUILDS.slice(0, 8).map((_file, index) => putSlot('one-slot', 'noarch', index)),
      );
      const last = answers.reduce((one, other) => (one.dataUpdatedAt > other.dataUpdatedAt ? one : other));
      const document = await readDocument(server, 'one-slot');
      assert.deepEqual(document.tarballs, last.tarballs);
      for (const answer of [...answers, document]) await assertConsistent(answer);
      const download = await server.api('GET', artefactPath('one-slot', '/tarball'), { headers: server.internal });
      assert.equal(digestOf(Buffer.from(await download.arrayBuffer())), document.tarballs?.['noarch']?.digest);
      assert.equal(download.headers.get('x-artefact-version'), document.version);
    });

    test('have distinct dates, in whole seconds too', async () => {
      const id = 'dates';
      const answers = await Promise.all(BUILDS.map((_file, index) => putSlot(id, `a${index % 3}`, index)));
      const dates = answers.map(({ dataUpdatedAt }) => dataUpdatedAt);
      assert.equal(new Set(dates).size, BUILDS.length);
      assert.equal((await readDocument(server, id)).dataUpdatedAt, dates.toSorted().at(-1));
      const [row] = await query<{ last_modified: number | string }>(
        server,
        `select last_modified from artefacts where id = '${id}'`,
      );
      assert.ok(
        Number(row?.last_modified) >= Math.floor(Date.parse(answers[0]!.createdAt) / 1000) + BUILDS.length - 1,
      );
    });

    test('of twenty artefacts all succeed, with their own bytes', async () => {
      const answers = await Promise.all(BUILDS.map((_file, index) => putSlot(`many-${index}`, 'noarch', index)));
      for (const [index, { tarballs }] of answers.entries()) {
        assert.equal(tarballs?.['noarch']?.digest, DIGESTS[index]);
        const download = await server.api('GET', `/artefacts/many-${index}/tarball`, { headers: server.internal });
        assert.equal(digestOf(Buffer.from(await download.arrayBuffer())), DIGESTS[index]);
      }
    });

    test('of equal bytes are stored once', async () => {
      const file = await npmTarball({ name: 'same', files: { data: 'x'.repeat(100_000) } });
      await Promise.all(
        Array.from({ length: 12 }, (_value, index) =>
          uploadArtefact(server, `same-${index % 4}`, { file, fields: { architecture: `a${index}` } }),
        ),
      );
      await assertTidy(server);
      const { slots, blobs } = await readStoredState(server);
      assert.equal(slots.filter((slot) => slot.endsWith(digestOf(file))).length, 12);
      assert.equal(blobs.filter((blob) => blob.startsWith(digestOf(file))).length, 1);
    });

    test('never show readers a mix of two', async () => {
      const id = 'busy';
      await putSlot(id, 'noarch', 0);
      const uploads = [
        ...BUILDS.slice(1, 9).map((_file, index) => putSlot(id, 'noarch', index + 1)),
        ...BUILDS.slice(9, 14).map((_file, index) => putSlot(id, 'x64', index + 9)),
      ];
      const over = Promise.all(uploads).then(() => true);
      for (let done = false; !done;) {
        await assertConsistent(await readDocument(server, id));
        done = await Promise.race([over, Promise.resolve(false)]);
      }
      await assertConsistent(await readDocument(server, id));
    });

    test('do not lose edits', async () => {
      const id = 'edited';
      await putSlot(id, 'noarch', 0);
      await Promise.all([
        ...BUILDS.slice(0, 6).map((_file, index) => putSlot(id, 'noarch', index)),
        patchArtefact(server, id, { public: true }),
        patchArtefact(server, id, { group: { en: 'Maps' } }),
        patchArtefact(server, id, { privateAccess: [{ type: 'user', id: 'uma' }] }),
      ]);
      const { public: isPublic, group, privateAccess } = await readDocument(server, id);
      assert.deepEqual([isPublic, group, privateAccess], [true, { en: 'Maps' }, [{ type: 'user', id: 'uma' }]]);
    });

    test('and a deletion leave either nothing or a complete artefact', async () => {
      for (let round = 0; round < 5; round++) {
        const id = `deleted-${round}`;
        await putSlot(id, 'noarch', 0);
        await Promise.all([
          putSlot(id, 'x64', 1),
          server.api('DELETE', artefactPath(id), { headers: server.internal }),
        ]);
        const response = await server.api('GET', artefactPath(id), { headers: server.internal });
        if (response.status === 404) continue;
        const document = (await response.json()) as Document;
        assert.deepEqual(Object.keys(document.tarballs ?? {}), ['x64']);
        await assertConsistent(document);
      }
    });

    test('leave one file per digest and no writers', async () => {
      await assertTidy(server);
      assert.deepEqual(server.logs, []);
    });
  });
}

test('uploads of equal bytes that create artefacts never deadlock', { timeout: 30_000 }, async (t) => {
  const database = await createTestDatabaseUrl();
  // PostgreSQL would resolve a deadlock only after the timeout of this test.
  const server = await startTestServer({
    dialect: 'postgres',
    env: { DATABASE_URL: `${database.url}&options=${encodeURIComponent('-c deadlock_timeout=60s')}` },
  });
  t.after(async () => {
    // Closes the connections, and so ends any transaction that still waits.
    await database.drop();
    await server.close();
  });
  for (let round = 0; round < 4; round++) {
    const file = await npmTarball({ name: 'p', version: `${round}.0.0` });
    await Promise.all(
      Array.from({ length: 12 }, (_value, index) =>
        uploadArtefact(server, `equal-${round}-${index % 4}`, { file, fields: { architecture: `a${index}` } }),
      ),
    );
  }
});
