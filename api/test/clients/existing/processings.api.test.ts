// Replays the requests of the processings service: its API and worker, its pages, and its migration.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../../support/tarball-builder.ts';
import {
  ACME,
  iconForm,
  OTHER,
  PLATFORMS,
  routeOf,
  startPlatform,
  statusOf,
  uploadForm,
  type Platform,
} from './platform.ts';

interface Document {
  _id: string;
  name: string;
  path?: string;
  title?: { fr?: string };
  description?: { fr?: string };
  group?: { fr?: string };
  documentation?: string;
  thumbnail?: { id: string };
  uploadedBy?: unknown;
  privateAccess?: object[];
}

const ID = '@acme-processing-import-0';

for (const combination of PLATFORMS) {
  describe(`processings on ${combination.dialect}, below ${combination.basePath || 'the root'}`, () => {
    let platform: Platform;
    before(async () => {
      platform = await startPlatform(combination);
    });
    after(() => platform.close());

    test('the migration probes, uploads, sets the metadata and the icon; the second time it finds all', async () => {
      for (const [at, url] of platform.insideUrls.entries()) {
        const id = `${ID}${at}`;
        const service = platform.service({ url });
        assert.equal(await statusOf(service.get(routeOf(id))), 404);
        const tarball = await npmTarball({ name: '@acme/processing-import', version: '0.1.0' });
        const form = uploadForm('processing', tarball);
        const uploaded = await service.post<{ artefact: Document }>(`/artefacts/npm/${encodeURIComponent(id)}`, form);
        assert.equal(uploaded.status, 201);
        const probed = await service.get<Document>(routeOf(id));
        assert.equal(typeof probed.data.path, 'string');
        assert.notEqual(probed.data.path, '');
        const { data: patched } = await service.patch<Document>(routeOf(id), {
          public: false,
          privateAccess: [
            { type: 'organization', id: 'acme' },
            { ...OTHER, department: 'geo' },
          ],
          title: { fr: 'Import' },
          description: { fr: 'Une longue description. '.repeat(400) },
          group: { fr: 'Imports' },
          documentation: 'https://example.org/docs',
        });
        assert.equal(patched.thumbnail ?? null, null);
        assert.deepEqual(
          [patched.title, patched.group, patched.documentation, patched.description?.fr?.length],
          [{ fr: 'Import' }, { fr: 'Imports' }, 'https://example.org/docs', 24 * 400],
        );
        assert.deepEqual(patched.privateAccess, [
          { type: 'organization', id: 'acme' },
          { ...OTHER, department: 'geo' },
        ]);
        assert.equal((await service.post(`${routeOf(id)}/thumbnail`, iconForm())).status, 201);
        const again = await service.patch<Document>(routeOf(id), { public: false });
        assert.equal(typeof again.data.thumbnail?.id, 'string');
      }
    });

    test('an upload of another package to the ID is a 409 that says why', async () => {
      const form = uploadForm('processing', await npmTarball({ name: '@other/package' }));
      const refused = await platform
        .service()
        .post<{ detail: string }>(`/artefacts/npm/${encodeURIComponent(`${ID}0`)}`, form, { validateStatus: null });
      assert.equal(refused.status, 409);
      assert.match(refused.data.detail, /@acme\/processing-import/);
    });

    test('the API passes on a document without what is not for the account, and tells 403 from 404', async () => {
      for (const url of platform.insideUrls) {
        const { data } = await platform.service({ url, account: ACME }).get<Document>(routeOf(`${ID}0`));
        assert.deepEqual([data._id, data.title], [`${ID}0`, { fr: 'Import' }]);
        assert.deepEqual([data.uploadedBy ?? null, data.privateAccess ?? []], [null, []]);
        const other = platform.service({ url, account: OTHER });
        assert.equal(await statusOf(other.get(routeOf(`${ID}0`))), 403);
        assert.equal(await statusOf(other.get(routeOf('absent'))), 404);
      }
    });

    test('its pages list plug-ins and show their thumbnails, with a session', async () => {
      const page = platform.page(await platform.member('acme', 'admin'));
      for (const size of [100, 200]) {
        const { data } = await page.get<{ results: Document[]; count: number }>(
          `/api/v1/artefacts?category=processing&size=${size}`,
        );
        const listed = data.results.find(({ _id }) => _id === `${ID}0`);
        assert.ok(listed);
        assert.deepEqual([listed.name, listed.title?.fr, listed.group?.fr], [`${ID}0`, 'Import', 'Imports']);
        assert.equal(listed.description?.fr?.startsWith('Une longue'), true);
        const image = await page.get<string>(`/api/v1/thumbnails/${listed.thumbnail?.id}/data`);
        assert.match(String(image.headers['content-type']), /^image\/svg\+xml/);
      }
      const stranger = platform.page(await platform.member('stranger', 'admin'));
      const { data } = await stranger.get<{ results: Document[] }>('/api/v1/artefacts?category=processing&size=100');
      assert.deepEqual(data.results, []);
    });

    test('a wrong or missing content type of an upload is a 400', async () => {
      const path = `/artefacts/npm/${encodeURIComponent('typed')}`;
      for (const type of [undefined, 'application/octet-stream', 'application/json', 'multipart/form-data']) {
        const response = await fetch(`${platform.outsideUrl}/api/v1${path}`, {
          method: 'POST',
          headers: { ...platform.internal, ...(type && { 'content-type': type }) },
          body: new Uint8Array([1, 2, 3]),
        });
        const { code } = (await response.json()) as { code: string };
        assert.deepEqual([response.status, code], [400, 'multipart_invalid'], type);
      }
    });
  });
}
