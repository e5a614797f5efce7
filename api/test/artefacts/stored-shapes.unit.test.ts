// What an older version of the program has stored becomes what this one would have stored.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SYSTEM_ACTOR, type Caller } from '../../src/access/index.ts';
import { DOCUMENT_VERSION } from '../../src/artefacts/document.ts';
import { SCAN_VERSION } from '../../src/tarballs/index.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  ageDocuments,
  ageScans,
  openStoredShapes,
  publish,
  publishSamples,
  renew,
  stateOf,
  type StoredShapes,
} from './stored-shapes.ts';

/** First byte of a gzip file. */
const GZIP = 0x1f;
const INTERNAL = { kind: 'internal' } as const;
const VIEWERS: Caller[] = [INTERNAL, { kind: 'anonymous' }];

/** Every document as it is read, one by one and in a list, with its ETag. */
async function readAll({
  services: { read },
}: StoredShapes): Promise<Record<string, { json: unknown; etag: string }>> {
  const documents: Record<string, { json: unknown; etag: string }> = {};
  for (const viewer of VIEWERS) {
    const body = await read.list(viewer, { includeDeprecated: true, size: 1000 });
    assert.ok(typeof body === 'string');
    const { results } = JSON.parse(body) as { results: { _id: string }[] };
    for (const listed of results) {
      const { json, etag } = await read.get(viewer, listed._id);
      const document = JSON.parse(Buffer.from(json as string).toString()) as unknown;
      assert.deepEqual(document, listed);
      documents[JSON.stringify([viewer, listed._id])] = { json: document, etag };
    }
  }
  return documents;
}

for (const dialect of DIALECTS)
  describe(`stored shapes on ${dialect}`, () => {
    async function withShapes(use: (shapes: StoredShapes) => Promise<void>): Promise<void> {
      const shapes = await openStoredShapes(dialect);
      try {
        await use(shapes);
      } finally {
        await shapes.close();
      }
    }

    for (const order of [
      ['scans', 'documents'],
      ['documents', 'scans'],
    ] as const)
      test(`documents, columns, scans and file indexes are renewed, ${order[0]} first`, async () => {
        await withShapes(async (shapes) => {
          await publishSamples(shapes);
          const expected = await stateOf(shapes.database);
          await ageDocuments(shapes.database);
          await ageScans(shapes.database);
          assert.notDeepEqual(await stateOf(shapes.database), expected);
          for (const job of order) assert.equal(await shapes.services.renewals[job].isDueAtStart?.(), true);
          for (const job of order) await renew(shapes, job);
          assert.deepEqual(await stateOf(shapes.database), expected);
          for (const job of order) assert.equal(await shapes.services.renewals[job].isDueAtStart?.(), false);
        });
      });

    test('documents are read as they will be stored, with the same ETag, before they are renewed', async () => {
      await withShapes(async (shapes) => {
        await publishSamples(shapes);
        const expected = await readAll(shapes);
        await ageDocuments(shapes.database, 'described@1');
        assert.deepEqual(await readAll(shapes), expected);
        await ageDocuments(shapes.database);
        assert.deepEqual(await readAll(shapes), expected);
        await renew(shapes, 'documents');
        assert.deepEqual(await readAll(shapes), expected);
      });
    });

    test('a change by a replica of an older version is noticed, whichever version had rendered before', async () => {
      await withShapes(async (shapes) => {
        const { database } = shapes;
        await publishSamples(shapes);
        const expected = await readAll(shapes);
        await ageDocuments(database, 'described@1');
        // That version does not know these columns: it leaves them as they were.
        const { limited_etag } = await database.db
          .selectFrom('artefact_documents')
          .select('limited_etag')
          .where('artefact_id', '=', 'plain@1')
          .executeTakeFirstOrThrow();
        await database.db
          .updateTable('artefact_documents')
          .set({ document_version: DOCUMENT_VERSION, versioned_etag: limited_etag })
          .where('artefact_id', '=', 'described@1')
          .execute();
        assert.deepEqual(await readAll(shapes), expected);
        assert.equal(await renew(shapes, 'documents'), 1);
        assert.deepEqual(await readAll(shapes), expected);
      });
    });

    test('changes during the renewal are kept, and so is what it renews', async () => {
      await withShapes(async (shapes) => {
        const ids = Array.from({ length: 40 }, (_, index) => `artefact-${index}`);
        for (const [index, id] of ids.entries())
          await publish(shapes, id, await npmTarball({ name: id, manifest: { description: `Number ${index}` } }));
        await ageDocuments(shapes.database);
        await ageScans(shapes.database);
        const edits = ids.map((id, index) => async () => {
          await new Promise((resolve) => setTimeout(resolve, index));
          await shapes.services.edit.patch(SYSTEM_ACTOR, id, { title: { en: `Edited ${index}` } });
        });
        await Promise.all([renew(shapes, 'documents'), renew(shapes, 'scans'), ...edits.map((edit) => edit())]);
        for (const [index, id] of ids.entries()) {
          const { json } = await shapes.services.read.get(INTERNAL, id);
          const document = JSON.parse(Buffer.from(json as string).toString()) as Record<string, unknown>;
          assert.deepEqual(document['title'], { en: `Edited ${index}` });
          assert.equal(document['packageDescription'], `Number ${index}`);
        }
        for (const job of ['documents', 'scans'] as const)
          assert.equal(await shapes.services.renewals[job].isDueAtStart?.(), false);
      });
    });

    test('each tarball is read once, also if the job is interrupted again and again', async () => {
      await withShapes(async (shapes) => {
        await publishSamples(shapes);
        const expected = await stateOf(shapes.database);
        await ageDocuments(shapes.database);
        await ageScans(shapes.database);
        let interruptions = 0;
        for (let isDone = false; !isDone;) {
          const stop = new AbortController();
          const run = renew(shapes, 'scans', { signal: stop.signal, progress: () => void stop.abort() });
          isDone = await run.then(
            () => true,
            () => (interruptions++, false),
          );
        }
        assert.ok(interruptions > 2);
        assert.equal(shapes.reads.length, new Set(shapes.reads).size);
        await renew(shapes, 'documents');
        assert.deepEqual(await stateOf(shapes.database), expected);
      });
    });

    test('a tarball that is refused by now keeps its scan, and is not read again', async () => {
      await withShapes(async (shapes) => {
        const file = await npmTarball({ files: { 'README.md': '# Old', 'a.txt': 'a', 'b.txt': 'b' } });
        await publish(shapes, 'old@1', file);
        await ageScans(shapes.database);
        shapes.limits.maxTarEntries = 2;
        const { refused } = await renew(shapes, 'scans');
        assert.equal(refused, 1);
        assert.equal(await shapes.services.renewals.scans.isDueAtStart?.(), false);
        const scan = await shapes.database.db.selectFrom('tarball_scans').selectAll().executeTakeFirstOrThrow();
        assert.equal(scan.scan_error, 'tarball_too_many_entries');
        assert.equal(scan.scan_version, SCAN_VERSION);
        assert.equal(scan.readme, '# Old');
      });
    });

    test('a damaged or missing tarball is left as it is, holds up no other, and is scanned later', async () => {
      await withShapes(async (shapes) => {
        await publishSamples(shapes);
        const expected = await stateOf(shapes.database);
        await ageDocuments(shapes.database);
        await ageScans(shapes.database);
        const tarballs = readdirSync(shapes.root, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .filter((path) => readFileSync(path)[0] === GZIP);
        assert.equal(tarballs.length, 5);
        const [cut, changed, missing] = tarballs as [string, string, string];
        const intact = new Map([cut, changed, missing].map((path) => [path, readFileSync(path)]));
        writeFileSync(cut, intact.get(cut)!.subarray(0, 100));
        writeFileSync(changed, Buffer.from(intact.get(changed)!).fill(1, 20, 40));
        rmSync(missing);
        const left = await renew(shapes, 'scans');
        assert.deepEqual([left.scanned, left.refused, left.unreadable], [2, 0, 3]);
        for (const [path, bytes] of intact) writeFileSync(path, bytes);
        const back = await renew(shapes, 'scans');
        assert.deepEqual([back.scanned, back.refused, back.unreadable], [3, 0, 0]);
        await renew(shapes, 'documents');
        assert.deepEqual(await stateOf(shapes.database), expected);
      });
    });
  });
