import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { canSee } from '../../src/access/index.ts';
import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRoutes, contentRoutes, createArtefacts, transferRoutes } from '../../src/artefacts/index.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { createBlobs } from '../../src/blobs/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { createTarballScanners } from '../../src/tarballs/index.ts';
import { createThumbnails, thumbnailRoutes } from '../../src/thumbnails/index.ts';
import { ACME, CALLERS, OTHER, type CallerName } from '../access/callers.ts';
import { makeFsStore, type FsStoreFixture } from '../blobs/fs-fixture.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { sampleArtefact, sampleSlot } from './samples.ts';

const ABSENT = 'absent';
const THUMBNAIL = { id: 'thumbnail', width: 1, height: 1 };
const ARTEFACTS: Artefact[] = [
  sampleArtefact({ id: 'public', public: true }),
  sampleArtefact({ id: 'private', thumbnail: THUMBNAIL }),
  sampleArtefact({ id: 'shared', thumbnail: THUMBNAIL, privateAccess: [ACME] }),
  sampleArtefact({ id: 'shared with others', thumbnail: THUMBNAIL, privateAccess: [OTHER] }),
  sampleArtefact({ id: 'a file', format: 'file', packageName: undefined, version: undefined }),
];

for (const dialect of DIALECTS) {
  describe(`reading an artefact on ${dialect}`, () => {
    let opened: TestDatabase;
    let files: FsStoreFixture;
    let app: FastifyInstance;
    let queries = 0;
    const routes: { method: 'GET' | 'HEAD'; url: string }[] = [];

    before(async () => {
      opened = await openTestDatabase(dialect, { onQuery: () => queries++ });
      files = await makeFsStore();
      const { database } = opened;
      const onError = (error: unknown) => {
        throw error;
      };
      const services = createArtefacts({
        database,
        blobs: createBlobs({ database, store: files.open() }),
        scanners: createTarballScanners(),
        limits: { maxUploadBytes: 1000, maxUnpackedBytes: 1000, maxTarEntries: 10 },
        categories: ['processing', 'other'],
        onError,
      });
      const { digest } = sampleSlot();
      await database.db
        .insertInto('blobs')
        .values({ digest, storage_key: digest, size: 100, state: 'sound', created_at: new Date(0).toISOString() })
        .execute();
      for (const artefact of ARTEFACTS)
        await database.transaction((tx) => insert(artefactRepository(tx), artefact, slotOf(artefact)));
      app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
      app.decorateRequest('actor');
      app.addHook('onRequest', async (request) => {
        const caller = CALLERS[request.headers['x-caller'] as CallerName];
        request.actor = { caller, ip: request.ip, requestId: request.id };
      });
      app.addHook('onRoute', ({ method: methods, url }) => {
        for (const method of ['GET', 'HEAD'] as const)
          if ([methods].flat().includes(method) && url.startsWith('/artefacts/:id')) routes.push({ method, url });
      });
      await app.register(artefactRoutes(services));
      await app.register(transferRoutes(services));
      await app.register(contentRoutes(services));
      await app.register(thumbnailRoutes(createThumbnails({ database, artefacts: services })));
      app.addHook('onClose', () => services.counts.close());
    });
    after(async () => {
      await app.close();
      await opened.close();
      await files.remove();
    });

    async function ask(caller: CallerName, method: 'GET' | 'HEAD', url: string, id: string, more = {}) {
      const before = queries;
      const { statusCode, headers, body } = await app.inject({
        method,
        url: url.replace(':id', encodeURIComponent(id)).replace('*', 'index.js'),
        headers: { 'x-caller': caller, ...more },
      });
      const { 'x-request-id': requestId, date, ...rest } = headers;
      assert.ok(date !== '');
      return { statusCode, headers: rest, body: body.replace(String(requestId), ''), queries: queries - before };
    }

    test('answers alike, after as many queries, if it is absent and if the caller may not see it', async () => {
      assert.ok(routes.length > 8, JSON.stringify(routes));
      for (const [name, caller] of Object.entries(CALLERS)) {
        if (caller.kind === 'internal') continue;
        const hidden = ARTEFACTS.filter((artefact) => !canSee(caller, artefact));
        for (const { method, url } of routes) {
          for (const headers of [{}, { 'if-none-match': '*' }, { range: 'bytes=0-1' }]) {
            const expected = await ask(name as CallerName, method, url, ABSENT, headers);
            assert.ok(hidden.length === 0 || expected.statusCode === 404);
            for (const { id } of hidden)
              assert.deepEqual(
                await ask(name as CallerName, method, url, id, headers),
                expected,
                `${name}: ${method} ${url} of ${id}`,
              );
          }
        }
      }
    });

    test('tells an internal service for an account whether it is absent or not shared', async () => {
      for (const [name, caller] of Object.entries(CALLERS)) {
        if (caller.kind !== 'internal') continue;
        for (const { method, url } of routes) {
          for (const artefact of [...ARTEFACTS, undefined]) {
            const expected: number | undefined = !artefact ? 404 : canSee(caller, artefact) ? undefined : 403;
            const { statusCode, body } = await ask(name as CallerName, method, url, artefact?.id ?? ABSENT);
            const what = `${name}: ${method} ${url} of ${artefact?.id}`;
            if (expected === undefined) assert.notEqual(statusCode, 403, what);
            else assert.equal(statusCode, expected, what);
            if (method === 'GET') assert.equal(body.includes('"not_shared"'), expected === 403, what);
          }
        }
      }
    });

    test('takes one query for a public document, and one more to read the access list of a shared one', async () => {
      for (const [caller, id, count] of [
        ['anonymous', 'public', 1],
        ['member of Acme', 'public', 1],
        ['superadmin', 'private', 1],
        ['member of Acme', 'shared', 2],
      ] as const) {
        const answer = await ask(caller, 'GET', '/artefacts/:id', id);
        assert.deepEqual([answer.statusCode, answer.queries], [200, count], `${caller}: ${id}`);
      }
    });
  });
}

function slotOf({ format }: Artefact): Slot {
  return sampleSlot(format === 'file' ? { architecture: 'file', version: undefined, fileName: 'a' } : {});
}

async function insert(
  repository: ReturnType<typeof artefactRepository>,
  artefact: Artefact,
  slot: Slot,
): Promise<void> {
  await repository.insert(artefact, renderDocuments(artefact, [slot]));
  await repository.putPrivateAccess(artefact.id, artefact.privateAccess);
  await repository.putSlot(artefact.id, slot);
}
