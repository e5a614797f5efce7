import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy, query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patched, readDocument, uploaded, type Document } from './documents.ts';

/** Tarballs that differ in version, licence, schema and bytes: a document that mixes two of them shows. */
const build = (index: number) =>
  npmTarball({
    name: 'p',
    version: `${index}.0.0`,
    files: { 'index.js': `// ${index} ${'x'.repeat(index * 100)}` },
    manifest: { license: `L-${index}`, registry: { processingConfigSchema: { title: `S-${index}` } } },
  });
const BUILDS = await Promise.all(Array.from({ length: 20 }, (_value, index) => build(index + 1)));
const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const DIGESTS = BUILDS.map(digestOf);

for (const dialect of DIALECTS) {
  describe(`uploads at once on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const putSlot = (id: string, architecture: string, index: number) =>
      uploaded(server, id, { file: BUILDS[index]!, fields: { architecture } });

    /** Fails unless the document is one that some upload alone could have left. */
    const assertWhole = async (document: Document): Promise<void> => {
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

    test('to two slots both survive, of an artefact that is there and of a new one', async () => {
      for (const id of ['new', 'new', 'present']) {
        if (id === 'present') await putSlot(id, 'noarch', 4);
        await Promise.all([putSlot(id, 'x64', 0), putSlot(id, 'arm64', 1)]);
        const document = await readDocument(server, id);
        assert.deepEqual(
          [document.tarballs?.['x64']?.version, document.tarballs?.['arm64']?.version],
          ['1.0.0', '2.0.0'],
        );
        await assertWhole(document);
      }
    });

    test('to two slots both survive when their bodies end in the other order than they began', async () => {
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
      await assertWhole(document);
    });

    test('to one slot leave the one that was committed last', async () => {
      const answers = await Promise.all(
        BUILDS.slice(0, 8).map((_file, index) => putSlot('one-slot', 'noarch', index)),
      );
      const last = answers.reduce((one, other) => (one.dataUpdatedAt > other.dataUpdatedAt ? one : other));
      const document = await readDocument(server, 'one-slot');
      assert.deepEqual(document.tarballs, last.tarballs);
      for (const answer of [...answers, document]) await assertWhole(answer);
      const download = await server.api('GET', artefactPath('one-slot', '/tarball'), { headers: server.internal });
      assert.equal(digestOf(Buffer.from(await download.arrayBuffer())), document.tarballs?.['noarch']?.digest);
      assert.equal(download.headers.get('x-artefact-version'), document.version);
    });

    test('have dates that are all different, and so are their whole seconds', async () => {
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

    test('of twenty artefacts are all there, with their own bytes', async () => {
      const answers = await Promise.all(BUILDS.map((_file, index) => putSlot(`many-${index}`, 'noarch', index)));
      for (const [index, { tarballs }] of answers.entries()) {
        assert.equal(tarballs?.['noarch']?.digest, DIGESTS[index]);
        const download = await server.api('GET', `/artefacts/many-${index}/tarball`, { headers: server.internal });
        assert.equal(digestOf(Buffer.from(await download.arrayBuffer())), DIGESTS[index]);
      }
    });

    test('of the same bytes are stored once', async () => {
      const file = await npmTarball({ name: 'same', files: { data: 'x'.repeat(100_000) } });
      await Promise.all(
        Array.from({ length: 12 }, (_value, index) =>
          uploaded(server, `same-${index % 4}`, { file, fields: { architecture: `a${index}` } }),
        ),
      );
      await assertTidy(server);
      const { slots, blobs } = await readStoredState(server);
      assert.equal(slots.filter((slot) => slot.endsWith(digestOf(file))).length, 12);
      assert.equal(blobs.filter((blob) => blob.startsWith(digestOf(file))).length, 1);
    });

    test('never show a reader a mix of two', async () => {
      const id = 'busy';
      await putSlot(id, 'noarch', 0);
      const uploads = [
        ...BUILDS.slice(1, 9).map((_file, index) => putSlot(id, 'noarch', index + 1)),
        ...BUILDS.slice(9, 14).map((_file, index) => putSlot(id, 'x64', index + 9)),
      ];
      const over = Promise.all(uploads).then(() => true);
      for (let done = false; !done;) {
        await assertWhole(await readDocument(server, id));
        done = await Promise.race([over, Promise.resolve(false)]);
      }
      await assertWhole(await readDocument(server, id));
    });

    test('lose no edit that comes between them', async () => {
      const id = 'edited';
      await putSlot(id, 'noarch', 0);
      await Promise.all([
        ...BUILDS.slice(0, 6).map((_file, index) => putSlot(id, 'noarch', index)),
        patched(server, id, { public: true }),
        patched(server, id, { group: { en: 'Maps' } }),
        patched(server, id, { privateAccess: [{ type: 'user', id: 'uma' }] }),
      ]);
      const { public: isPublic, group, privateAccess } = await readDocument(server, id);
      assert.deepEqual([isPublic, group, privateAccess], [true, { en: 'Maps' }, [{ type: 'user', id: 'uma' }]]);
    });

    test('and a deletion leave either nothing or a whole artefact', async () => {
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
        await assertWhole(document);
      }
    });

    test('leave one file for each digest, and no writer', async () => {
      await assertTidy(server);
      assert.deepEqual(server.logs, []);
    });
  });
}

test(
  'uploads of equal bytes to artefacts that they make never lock each other out',
  { timeout: 30_000 },
  async (t) => {
    const database = await createTestDatabaseUrl();
    // A deadlock would be found only after the time that this test has.
    const server = await startTestServer({
      dialect: 'postgres',
      env: { DATABASE_URL: `${database.url}&options=${encodeURIComponent('-c deadlock_timeout=60s')}` },
    });
    t.after(async () => {
      // Ends the connections, and with them whoever still waits.
      await database.drop();
      await server.close();
    });
    for (let round = 0; round < 4; round++) {
      const file = await npmTarball({ name: 'p', version: `${round}.0.0` });
      await Promise.all(
        Array.from({ length: 12 }, (_value, index) =>
          uploaded(server, `equal-${round}-${index % 4}`, { file, fields: { architecture: `a${index}` } }),
        ),
      );
    }
  },
);
