// Replays the requests of the catalogs service: its pages and its migration. Its API and worker only use the library.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../../support/tarball-builder.ts';
import { iconForm, PLATFORMS, routeOf, startPlatform, statusOf, uploadForm, type Platform } from './platform.ts';

interface Document {
  _id: string;
  path?: string;
  public: boolean;
  title?: { fr?: string; en?: string };
  description?: { fr?: string; en?: string };
  thumbnail?: { id: string };
}

const ID = '@acme-catalog-udata-1';

for (const combination of PLATFORMS) {
  describe(`catalogs on ${combination.dialect}, below ${combination.basePath || 'the root'}`, () => {
    let platform: Platform;
    before(async () => {
      platform = await startPlatform(combination);
    });
    after(() => platform.close());

    test('the migration uploads a public catalog with its icon, and skips it the second time', async () => {
      const service = platform.service({ url: platform.insideUrls[0] ?? '' });
      assert.equal(await statusOf(service.get(routeOf(ID))), 404);
      const form = uploadForm('catalog', await npmTarball({ name: '@acme/catalog-udata', version: '1.0.2' }));
      assert.equal((await service.post(`/artefacts/npm/${encodeURIComponent(ID)}`, form)).status, 201);
      const texts = { title: { fr: 'udata', en: 'udata' }, description: { fr: 'Un catalogue', en: 'A catalog' } };
      const { data } = await service.patch<Document>(routeOf(ID), { public: true, ...texts });
      assert.deepEqual([data.public, data.title, data.description], [true, texts.title, texts.description]);
      assert.equal((await service.post(`${routeOf(ID)}/thumbnail`, iconForm())).status, 201);
      assert.equal(typeof (await service.get<Document>(routeOf(ID))).data.path, 'string');
    });

    test('its pages list the catalogs and show one, with a session', async () => {
      const page = platform.page(await platform.member('acme', 'member'));
      const { data } = await page.get<{ results: Document[]; count: number }>(
        '/api/v1/artefacts?format=npm&category=catalog&size=100',
      );
      assert.deepEqual([data.count, data.results.map(({ _id }) => _id)], [1, [ID]]);
      const shown = (await page.get<Document>(`/api/v1${routeOf(ID)}`)).data;
      for (const document of [data.results[0], shown]) {
        assert.deepEqual([document?.title?.fr, document?.description?.en], ['udata', 'A catalog']);
        const image = await page.get<string>(`/api/v1/thumbnails/${document?.thumbnail?.id}/data`);
        assert.match(image.data, /^<svg /);
      }
    });
  });
}
