import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { artefactPath, patched, readDocument, uploaded, type Document } from '../artefacts/documents.ts';
import { makeMirror } from '../artefacts/mirrors.ts';
import { createCallers, type CallerName, type Callers, type Headers } from '../support/callers.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { lookAt, makeRaster } from './images.ts';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const MAX_IMAGE_BYTES = 5 * 1024 * 1024;
const path = (id: string) => artefactPath(id, '/thumbnail');
const dataPath = ({ thumbnail }: Document) => `/thumbnails/${thumbnail?.id}/data`;

for (const dialect of DIALECTS) {
  describe(`thumbnails on ${dialect}`, () => {
    let server: TestServer;
    let callers: Callers;
    let png: Buffer;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
      callers = await createCallers(server);
      png = await makeRaster({ width: 500, height: 100 });
    });
    after(() => server.close());

    const artefact = async (id: string, changes: Record<string, unknown> = {}) => {
      await uploaded(server, id, { file: await npmTarball() });
      return patched(server, id, changes);
    };
    const post = (id: string, file: string | Uint8Array, headers: Headers = server.internal) => {
      const form = new FormData();
      form.set('file', new Blob([file]), 'image');
      return fetch(`${server.url}/api/v1${path(id)}`, { method: 'POST', headers, body: form });
    };
    const posted = async (id: string, file: string | Uint8Array): Promise<Document> => {
      const response = await post(id, file);
      assert.equal(response.status, 201);
      return (await response.json()) as Document;
    };
    const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

    test('a raster is answered with the document, and served small', async () => {
      await artefact('raster');
      const document = await posted('raster', png);
      assert.deepEqual({ ...document.thumbnail, id: '' }, { id: '', width: 400, height: 80 });
      assert.match(document.thumbnail?.id ?? '', /^[\w-]{22}$/);
      assert.deepEqual(await readDocument(server, 'raster'), document);
      const response = await server.api('GET', dataPath(document));
      assert.deepEqual(
        [response.status, response.headers.get('content-type'), response.headers.get('x-content-type-options')],
        [200, 'image/webp', 'nosniff'],
      );
      const image = await lookAt(await bytesOf(response));
      assert.deepEqual([image.format, image.width, image.height], ['webp', 400, 80]);
    });

    test('an SVG is served byte for byte, and its scripts are inert', async () => {
      await artefact('drawing');
      const document = await posted('drawing', SVG);
      assert.deepEqual([document.thumbnail?.width, document.thumbnail?.height], [0, 0]);
      for (const [where, headers] of [
        [dataPath(document), {}],
        [path('drawing'), server.internal],
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

    test('the public address may be kept for ever, by everybody', async () => {
      await artefact('cached');
      const document = await posted('cached', png);
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

    test('the public address never carries the cookie of a session', async () => {
      await artefact('prolonged', { public: true });
      const document = await posted('prolonged', png);
      const inFiveDays = new Date(Date.now() + 5 * 86_400_000).toISOString();
      const headers = await server.superadmin();
      const cookies = async (where: string) => {
        await query(server, `update "session" set "expiresAt" = '${inFiveDays}'`);
        return (await server.api('GET', where, { headers })).headers.getSetCookie().length;
      };
      assert.ok((await cookies(path('prolonged'))) > 0);
      assert.equal(await cookies(dataPath(document)), 0);
    });

    test('a replacement has a new id, and the old one is gone', async () => {
      await artefact('replaced');
      const old = await posted('replaced', png);
      const replaced = await posted('replaced', SVG);
      assert.notEqual(replaced.thumbnail?.id, old.thumbnail?.id);
      await readProblem(await server.api('GET', dataPath(old)), 404, 'thumbnail_not_found');
      assert.equal(await (await server.api('GET', dataPath(replaced))).text(), SVG);
      const same = await posted('replaced', SVG);
      assert.notEqual(same.thumbnail?.id, replaced.thumbnail?.id);
    });

    test('of several at once the last one stays, whole', async () => {
      await artefact('contested');
      const drawings = Array.from({ length: 5 }, (_, index) => `<svg><!-- ${index} --></svg>`);
      const documents = await Promise.all(drawings.map((drawing) => posted('contested', drawing)));
      const { thumbnail } = await readDocument(server, 'contested');
      const winner = documents.findIndex((document) => document.thumbnail?.id === thumbnail?.id);
      assert.equal(
        await (await server.api('GET', path('contested'), { headers: server.internal })).text(),
        drawings[winner],
      );
      assert.deepEqual(await query(server, `select id from thumbnails where artefact_id = 'contested'`), [
        { id: thumbnail?.id },
      ]);
    });

    test('a change moves updatedAt and the ETag of the document, and not dataUpdatedAt', async () => {
      const before = await artefact('dated');
      const etag = async () =>
        (await server.api('GET', artefactPath('dated'), { headers: server.internal })).headers.get('etag');
      const etags = [await etag()];
      const set = await posted('dated', png);
      etags.push(await etag());
      assert.equal((await server.api('DELETE', path('dated'), { headers: server.internal })).status, 204);
      const deleted = await readDocument(server, 'dated');
      etags.push(await etag());
      assert.ok(before.updatedAt < set.updatedAt && set.updatedAt < deleted.updatedAt);
      assert.deepEqual([set.dataUpdatedAt, deleted.dataUpdatedAt], [before.dataUpdatedAt, before.dataUpdatedAt]);
      assert.equal(new Set(etags).size, 3);
    });

    test('a deleted one is gone from the document and from both addresses', async () => {
      await artefact('bare', { public: true });
      const document = await posted('bare', png);
      const deleted = await server.api('DELETE', path('bare'), { headers: await server.superadmin() });
      assert.deepEqual([deleted.status, await deleted.text()], [204, '']);
      assert.ok(!('thumbnail' in (await readDocument(server, 'bare'))));
      await readProblem(await server.api('GET', dataPath(document)), 404, 'thumbnail_not_found');
      await readProblem(await server.api('GET', path('bare')), 404, 'thumbnail_not_found');
      await readProblem(
        await server.api('DELETE', path('bare'), { headers: server.internal }),
        404,
        'thumbnail_not_found',
      );
    });

    test('it stays when new bytes are uploaded, and goes with its artefact', async () => {
      await artefact('short-lived');
      const document = await posted('short-lived', png);
      assert.deepEqual(
        (await uploaded(server, 'short-lived', { file: await npmTarball({ version: '2.0.0' }) })).thumbnail,
        document.thumbnail,
      );
      assert.equal(
        (await server.api('DELETE', artefactPath('short-lived'), { headers: server.internal })).status,
        204,
      );
      await readProblem(await server.api('GET', dataPath(document)), 404, 'thumbnail_not_found');
      assert.deepEqual(await query(server, `select id from thumbnails where artefact_id = 'short-lived'`), []);
    });

    test('whatever else is sent is refused and changes nothing', async () => {
      await artefact('unharmed');
      const document = await posted('unharmed', png);
      const refusals: [file: string | Uint8Array, status: number, code: string][] = [
        ['no image', 400, 'image_invalid'],
        ['', 400, 'image_invalid'],
        [png.subarray(0, 100), 400, 'image_invalid'],
        [`<html>${SVG}</html>`, 400, 'image_invalid'],
        [Buffer.concat([png, Buffer.alloc(MAX_IMAGE_BYTES + 1 - png.length)]), 413, 'upload_too_large'],
      ];
      for (const [file, status, code] of refusals) await readProblem(await post('unharmed', file), status, code);
      await readProblem(
        await server.api('POST', path('unharmed'), { headers: server.internal, body: {} }),
        415,
        'media_type_unsupported',
      );
      const form = new FormData();
      form.set('file', 'text');
      await readProblem(
        await fetch(`${server.url}/api/v1${path('unharmed')}`, {
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

    test('an image of 5 MiB is still taken', async () => {
      await artefact('large');
      const drawing = Buffer.from(`<svg>${' '.repeat(MAX_IMAGE_BYTES - '<svg></svg>'.length)}</svg>`);
      const document = await posted('large', drawing);
      assert.ok(drawing.equals(await bytesOf(await server.api('GET', dataPath(document)))));
    });

    test('only superadmins and internal services for no account set and delete it', async () => {
      await artefact('guarded', { public: true, privateAccess: [{ type: 'organization', id: 'acme' }] });
      const refusals: [who: CallerName, status: number, code: string][] = [
        ['anonymous', 401, 'unauthenticated'],
        ['an upload key', 403, 'forbidden'],
        ['a read key of acme', 403, 'forbidden'],
        ['a member of acme', 403, 'forbidden'],
        ['an internal service for acme', 403, 'account_read_only'],
      ];
      for (const [who, status, code] of refusals) {
        await readProblem(await post('guarded', png, callers[who]), status, code);
        await readProblem(await server.api('DELETE', path('guarded'), { headers: callers[who] }), status, code);
      }
      assert.ok(!('thumbnail' in (await readDocument(server, 'guarded'))));
      for (const who of ['an internal service', 'a superadmin'] as const) {
        assert.equal((await post('guarded', png, callers[who])).status, 201, who);
        assert.equal((await server.api('DELETE', path('guarded'), { headers: callers[who] })).status, 204, who);
      }
    });

    test('whoever may see the artefact may see its image, and everybody by the id of the image', async () => {
      await artefact('seen', {
        privateAccess: [
          { type: 'organization', id: 'acme' },
          { type: 'organization', id: 'initech' },
        ],
      });
      const document = await posted('seen', png);
      const blind = new Set<string>([
        'anonymous',
        'an upload key',
        'an internal service for globex',
        'a read key of globex',
      ]);
      for (const [who, headers] of Object.entries(callers))
        assert.equal((await server.api('GET', path('seen'), { headers })).status, blind.has(who) ? 404 : 200, who);
      await readProblem(await server.api('GET', path('seen')), 404, 'artefact_not_found');
      for (const headers of [...Object.values(callers), { 'x-api-key': 'reg_unknown' }])
        assert.equal((await server.api('GET', dataPath(document), { headers })).status, 200);
      await patched(server, 'seen', { public: true });
      for (const [who, headers] of Object.entries(callers))
        assert.equal((await server.api('GET', path('seen'), { headers })).status, 200, who);
    });

    test('a mirror keeps the image of its original', async () => {
      await artefact('mirrored');
      const document = await posted('mirrored', png);
      await makeMirror(server, 'mirrored');
      await readProblem(await post('mirrored', SVG), 403, 'mirrored_read_only');
      await readProblem(
        await server.api('DELETE', path('mirrored'), { headers: server.internal }),
        403,
        'mirrored_read_only',
      );
      assert.equal((await server.api('GET', dataPath(document))).status, 200);
    });

    test('an artefact that does not exist has none', async () => {
      await readProblem(await post('nowhere', png), 404, 'artefact_not_found');
      await readProblem(
        await server.api('GET', path('nowhere'), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
      await readProblem(
        await server.api('DELETE', path('nowhere'), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
      await readProblem(await server.api('GET', '/thumbnails/nowhere/data'), 404, 'thumbnail_not_found');
    });

    test('changes are in the audit log', async () => {
      await artefact('audited');
      await posted('audited', png);
      await server.api('DELETE', path('audited'), { headers: server.internal });
      const events = await query<{ action: string }>(
        server,
        `select action from audit_events where target_id = 'audited' and action like '%thumbnail' order by at`,
      );
      assert.deepEqual(
        events.map(({ action }) => action),
        ['artefact.set-thumbnail', 'artefact.delete-thumbnail'],
      );
    });
  });
}
