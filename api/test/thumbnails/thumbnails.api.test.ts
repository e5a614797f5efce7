import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { artefactPath, patchArtefact, readDocument, uploadArtefact } from '../artefacts/documents.ts';
import { bytesOf } from '../artefacts/download-samples.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { inspectImage, makeRaster } from './images.ts';
import { dataPath, postThumbnail, setThumbnail, thumbnailPath } from './thumbnail-client.ts';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const MAX_IMAGE_BYTES = 5 * 1024 * 1024;

for (const dialect of DIALECTS) {
  describe(`thumbnails on ${dialect}`, () => {
    let server: TestServer;
    let png: Buffer;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
      png = await makeRaster({ width: 500, height: 100 });
    });
    after(() => server.close());

    const artefact = async (id: string, changes: Record<string, unknown> = {}) => {
      await uploadArtefact(server, id, { file: await npmTarball() });
      return patchArtefact(server, id, changes);
    };

    test('a raster image is scaled down, and its upload returns the document', async () => {
      await artefact('raster');
      const document = await setThumbnail(server, 'raster', png);
      assert.deepEqual({ ...document.thumbnail, id: '' }, { id: '', width: 400, height: 80 });
      assert.match(document.thumbnail?.id ?? '', /^[\w-]{22}$/);
      assert.deepEqual(await readDocument(server, 'raster'), document);
      const response = await server.api('GET', dataPath(document));
      assert.deepEqual(
        [response.status, response.headers.get('content-type'), response.headers.get('x-content-type-options')],
        [200, 'image/webp', 'nosniff'],
      );
      const image = await inspectImage(await bytesOf(response));
      assert.deepEqual([image.format, image.width, image.height], ['webp', 400, 80]);
    });

    test('an SVG is served byte for byte, with inert scripts', async () => {
      await artefact('drawing');
      const document = await setThumbnail(server, 'drawing', SVG);
      assert.deepEqual([document.thumbnail?.width, document.thumbnail?.height], [0, 0]);
      for (const [where, headers] of [
        [dataPath(document), {}],
        [thumbnailPath('drawing'), server.internal],
      ] as const) {
        const response = await server.api('GET', where, { headers });
        const policy = response.headers.get('content-security-policy')?.split(/; */);
        assert.deepEqual(
          [response.status, response.headers.get('content-type'), response.headers.get('x-content-type-options')],
          [200, 'image/svg+xml', 'nosniff'],
        );
        assert.ok(
          policy?.includes('sandbox') &&
            policy.includes(`default-src 'none'`) &&
            !policy.some((rule) => /script|allow/.test(rule)),
          String(policy),
        );
        assert.equal(await response.text(), SVG);
      }
    });

    test('the public URL may be cached by everybody, forever', async () => {
      await artefact('cached');
      const document = await setThumbnail(server, 'cached', png);
      const first = await server.api('GET', dataPath(document));
      const etag = first.headers.get('etag') ?? '';
      assert.deepEqual(
        [first.headers.get('cache-control'), first.headers.get('vary')],
        ['public, max-age=31536000, immutable', null],
      );
      const again = await server.api('GET', dataPath(document), { headers: { 'if-none-match': etag } });
      assert.deepEqual(
        [
          again.status,
          again.headers.get('etag'),
          again.headers.get('cache-control'),
          again.headers.get('content-length'),
        ],
        [304, etag, 'public, max-age=31536000, immutable', null],
      );
      const head = await server.api('HEAD', dataPath(document));
      assert.deepEqual(
        [head.status, head.headers.get('content-length')],
        [200, String((await bytesOf(first)).length)],
      );
    });

    test('the public URL never sets a session cookie', async () => {
      await artefact('prolonged', { public: true });
      const document = await setThumbnail(server, 'prolonged', png);
      const inFiveDays = new Date(Date.now() + 5 * 86_400_000).toISOString();
      const headers = await server.superadmin();
      const cookies = async (where: string) => {
        await query(server, `update "session" set "expiresAt" = '${inFiveDays}'`);
        return (await server.api('GET', where, { headers })).headers.getSetCookie().length;
      };
      assert.ok((await cookies(thumbnailPath('prolonged'))) > 0);
      assert.equal(await cookies(dataPath(document)), 0);
    });

    test('a replacement has a new id, and the old id no longer exists', async () => {
      await artefact('replaced');
      const old = await setThumbnail(server, 'replaced', png);
      const replaced = await setThumbnail(server, 'replaced', SVG);
      assert.notEqual(replaced.thumbnail?.id, old.thumbnail?.id);
      await readProblem(await server.api('GET', dataPath(old)), 404, 'thumbnail_not_found');
      assert.equal(await (await server.api('GET', dataPath(replaced))).text(), SVG);
      const same = await setThumbnail(server, 'replaced', SVG);
      assert.notEqual(same.thumbnail?.id, replaced.thumbnail?.id);
    });

    test('of concurrent uploads, the last one remains, complete', async () => {
      await artefact('contested');
      const drawings = Array.from({ length: 5 }, (_, index) => `<svg><!-- ${index} --></svg>`);
      const documents = await Promise.all(drawings.map((drawing) => setThumbnail(server, 'contested', drawing)));
      const { thumbnail } = await readDocument(server, 'contested');
      const winner = documents.findIndex((document) => document.thumbnail?.id === thumbnail?.id);
      assert.equal(
        await (await server.api('GET', thumbnailPath('contested'), { headers: server.internal })).text(),
        drawings[winner],
      );
      assert.deepEqual(await query(server, `select id from thumbnails where artefact_id = 'contested'`), [
        { id: thumbnail?.id },
      ]);
    });

    test('a change advances updatedAt and the ETag of the document, but not dataUpdatedAt', async () => {
      const before = await artefact('dated');
      const etag = async () =>
        (await server.api('GET', artefactPath('dated'), { headers: server.internal })).headers.get('etag');
      const etags = [await etag()];
      const set = await setThumbnail(server, 'dated', png);
      etags.push(await etag());
      assert.equal((await server.api('DELETE', thumbnailPath('dated'), { headers: server.internal })).status, 204);
      const deleted = await readDocument(server, 'dated');
      etags.push(await etag());
      assert.ok(before.updatedAt < set.updatedAt && set.updatedAt < deleted.updatedAt);
      assert.deepEqual([set.dataUpdatedAt, deleted.dataUpdatedAt], [before.dataUpdatedAt, before.dataUpdatedAt]);
      assert.equal(new Set(etags).size, 3);
    });

    test('a deleted thumbnail is gone from the document and both URLs', async () => {
      await artefact('bare', { public: true });
      const document = await setThumbnail(server, 'bare', png);
      const deleted = await server.api('DELETE', thumbnailPath('bare'), { headers: await server.superadmin() });
      assert.deepEqual([deleted.status, await deleted.text()], [204, '']);
      assert.ok(!('thumbnail' in (await readDocument(server, 'bare'))));
      await readProblem(await server.api('GET', dataPath(document)), 404, 'thumbnail_not_found');
      await readProblem(await server.api('GET', thumbnailPath('bare')), 404, 'thumbnail_not_found');
      await readProblem(
        await server.api('DELETE', thumbnailPath('bare'), { headers: server.internal }),
        404,
        'thumbnail_not_found',
      );
    });

    test('a thumbnail survives uploads, and is deleted with its artefact', async () => {
      await artefact('short-lived');
      const document = await setThumbnail(server, 'short-lived', png);
      assert.deepEqual(
        (await uploadArtefact(server, 'short-lived', { file: await npmTarball({ version: '2.0.0' }) })).thumbnail,
        document.thumbnail,
      );
      assert.equal(
        (await server.api('DELETE', artefactPath('short-lived'), { headers: server.internal })).status,
        204,
      );
      await readProblem(await server.api('GET', dataPath(document)), 404, 'thumbnail_not_found');
      assert.deepEqual(await query(server, `select id from thumbnails where artefact_id = 'short-lived'`), []);
    });

    test('anything but an image is rejected and changes nothing', async () => {
      await artefact('unharmed');
      const document = await setThumbnail(server, 'unharmed', png);
      const refusals: [file: string | Uint8Array, status: number, code: string][] = [
        ['no image', 400, 'image_invalid'],
        ['', 400, 'image_invalid'],
        [png.subarray(0, 100), 400, 'image_invalid'],
        [`<html>${SVG}</html>`, 400, 'image_invalid'],
        [Buffer.concat([png, Buffer.alloc(MAX_IMAGE_BYTES + 1 - png.length)]), 413, 'upload_too_large'],
      ];
      for (const [file, status, code] of refusals)
        await readProblem(await postThumbnail(server, 'unharmed', file), status, code);
      await readProblem(
        await server.api('POST', thumbnailPath('unharmed'), { headers: server.internal, body: {} }),
        400,
        'multipart_invalid',
      );
      const form = new FormData();
      form.set('file', 'text');
      await readProblem(
        await fetch(`${server.url}/api/v1${thumbnailPath('unharmed')}`, {
          method: 'POST',
          headers: server.internal,
          body: form,
        }),
        400,
        'multipart_invalid',
      );
      assert.deepEqual(await readDocument(server, 'unharmed'), document);
      assert.equal((await server.api('GET', dataPath(document))).status, 200);
    });

    test('an image of 5 MiB is accepted', async () => {
      await artefact('large');
      const drawing = Buffer.from(`<svg>${' '.repeat(MAX_IMAGE_BYTES - '<svg></svg>'.length)}</svg>`);
      const document = await setThumbnail(server, 'large', drawing);
      assert.ok(drawing.equals(await bytesOf(await server.api('GET', dataPath(document)))));
    });
  });
}
