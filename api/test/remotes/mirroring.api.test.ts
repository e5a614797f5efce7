import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-server.ts';
import {
  assertSameBytes,
  bytesOf,
  damage,
  digestOf,
  documentOf,
  publish,
  resultOf,
  share,
  startPair,
  type Pair,
} from './pair.ts';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>';

for (const dialect of DIALECTS) {
  describe(`a mirror on ${dialect}`, () => {
    let pair: Pair;
    before(async () => {
      pair = await startPair(dialect);
    });
    after(async () => {
      await pair.close();
    });

    test('copies everything of the original except its visibility and its uploader', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/whole@1';
      await publish(upstream, id, '1.2.3', ['noarch', 'x64']);
      await upstream.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
        headers: upstream.internal,
        body: {
          title: { en: 'Whole', fr: 'Entier' },
          group: { en: 'Import' },
          documentation: 'https://example.org/docs',
          deprecated: true,
        },
      });
      const thumbnail = new FormData();
      thumbnail.set('file', new Blob([SVG]), 'icon.svg');
      assert.equal(
        (
          await fetch(`${upstream.url}/api/v1/artefacts/${encodeURIComponent(id)}/thumbnail`, {
            method: 'POST',
            headers: upstream.internal,
            body: thumbnail,
          })
        ).status,
        201,
      );

      const view = await remote.select(id);
      assert.deepEqual(
        [view.lastSyncStatus, view.lastSyncError, view.lastSyncErrorCode, view.selectedArtefacts],
        ['success', undefined, undefined, [id]],
      );
      const { status, bytes = 0 } = resultOf(view, id);
      assert.deepEqual([status, bytes > 0], ['updated', true]);

      const original = (await documentOf(upstream, id)) ?? {};
      const copy = (await documentOf(mirror, id)) ?? {};
      const local = ['public', 'privateAccess', 'uploadedBy', 'createdAt', 'updatedAt', 'origin', 'tarballs'];
      const withoutLocal = (document: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(document).filter(([name]) => !local.includes(name)));
      assert.deepEqual(withoutLocal(copy), withoutLocal(original));
      assert.deepEqual([copy['public'], copy['privateAccess'], copy['origin']], [false, [], upstream.url]);
      const slots = (document: Record<string, unknown>) =>
        Object.fromEntries(
          Object.entries(document['tarballs'] as Record<string, Record<string, unknown>>).map(([name, slot]) => [
            name,
            { ...slot, uploadedBy: undefined },
          ]),
        );
      assert.deepEqual(slots(copy), slots(original));
      assert.deepEqual(await bytesOf(mirror, id, 'x64'), await bytesOf(upstream, id, 'x64'));
      const readme = await mirror.api('GET', `/artefacts/${encodeURIComponent(id)}/readme`, {
        headers: mirror.internal,
      });
      assert.match(await readme.text(), /whole@1 1\.2\.3/);
      const image = await mirror.api('GET', `/artefacts/${encodeURIComponent(id)}/thumbnail`, {
        headers: mirror.internal,
      });
      assert.equal(await image.text(), SVG);
    });

    test('of a file artefact has its bytes and its file name', async () => {
      const { upstream, mirror, remote } = pair;
      const file = Buffer.from('not really a tileset');
      assert.equal(
        (
          await upstream.upload('world.pmtiles', {
            format: 'file',
            file,
            fileName: 'world.pmtiles',
            fields: { category: 'tileset' },
          })
        ).status,
        201,
      );
      await share(upstream, 'world.pmtiles');
      await remote.select('world.pmtiles');
      assertSameBytes(await bytesOf(mirror, 'world.pmtiles'), file);
      const { fileName, digest, category } = (await documentOf(mirror, 'world.pmtiles')) ?? {};
      const original = (await documentOf(upstream, 'world.pmtiles')) ?? {};
      assert.deepEqual([fileName, digest, category], [original['fileName'], original['digest'], 'tileset']);
    });

    test('fetches only changed slots, links existing blobs, and drops a removed slot', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/changing@1';
      await publish(upstream, id, '1.0.0', ['noarch', 'x64']);
      const first = await remote.select(id);
      // Both slots have the same bytes.
      const size = (await bytesOf(upstream, id, 'x64')).length;
      assert.equal(resultOf(first, id).bytes, size);
      const unchanged = resultOf(await remote.sync(), id);
      assert.deepEqual([unchanged.status, unchanged.bytes], ['unchanged', 0]);

      await upstream.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
        headers: upstream.internal,
        body: { title: { en: 'Another title' } },
      });
      const edited = resultOf(await remote.sync(), id);
      assert.deepEqual([edited.status, edited.bytes], ['updated', 0]);
      assert.deepEqual((await documentOf(mirror, id))?.['title'], { en: 'Another title' });

      await publish(upstream, id, '1.0.1', ['x64']);
      await upstream.api('DELETE', `/artefacts/${encodeURIComponent(id)}/tarballs/noarch`, {
        headers: upstream.internal,
      });
      const replaced = resultOf(await remote.sync(), id);
      assert.deepEqual([replaced.status, replaced.bytes], ['updated', (await bytesOf(upstream, id, 'x64')).length]);
      assert.deepEqual(Object.keys((await documentOf(mirror, id))?.['tarballs'] as object), ['x64']);
      assert.equal(
        (await documentOf(mirror, id))?.['dataUpdatedAt'],
        (await documentOf(upstream, id))?.['dataUpdatedAt'],
      );
    });

    test('keeps the last version of an artefact that is deleted upstream, with the status gone', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/leaving@1';
      const file = await publish(upstream, id, '1.0.0');
      await remote.select(id);
      await upstream.api('DELETE', `/artefacts/${encodeURIComponent(id)}`, { headers: upstream.internal });
      const view = await remote.sync();
      assert.equal(resultOf(view, id).status, 'gone');
      assert.deepEqual(await bytesOf(mirror, id), file);
    });

    test('can be shared here, but is edited only at its origin', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/readonly@1';
      await publish(upstream, id, '1.0.0');
      await remote.select(id);
      const patch = (body: unknown) =>
        mirror.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, { headers: mirror.internal, body });
      assert.equal((await patch({ public: true })).status, 200);
      assert.equal((await patch({ title: { en: 'mine' } })).status, 403);
      assert.equal((await mirror.upload(id, { file: await bytesOf(upstream, id) })).status, 409);
      await publish(upstream, id, '1.0.1');
      await remote.sync();
      assert.equal((await documentOf(mirror, id))?.['public'], true);
    });

    test('becomes local when it is unselected, and is not updated any more', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/unselected@1';
      await publish(upstream, id, '1.0.0');
      await remote.select(id);
      assert.equal((await remote.ask('DELETE', `/selected-artefacts/${encodeURIComponent(id)}`)).status, 204);
      assert.equal((await remote.ask('DELETE', `/selected-artefacts/${encodeURIComponent(id)}`)).status, 404);
      assert.equal((await documentOf(mirror, id))?.['origin'], undefined);
      await publish(upstream, id, '1.0.1');
      await remote.sync();
      assert.equal((await documentOf(mirror, id))?.['version'], '1.0.0');
      const again = await remote.ask('POST', '/selected-artefacts', { artefactId: id });
      assert.deepEqual([again.status, ((await again.json()) as { code: string }).code], [409, 'selection_conflict']);
    });

    test('is selected by a pattern, also if it is published later; an id in use here is skipped', async () => {
      const { upstream, mirror, remote } = pair;
      await publish(upstream, '@pattern/one@1', '1.0.0');
      await publish(upstream, '@pattern/in-use@1', '1.0.0');
      await publish(mirror, '@pattern/in-use@1', '9.0.0');
      assert.equal((await remote.ask('PATCH', '', { selectedPatterns: ['@pattern/*@1'] })).status, 200);
      await remote.sync();
      assert.equal((await documentOf(mirror, '@pattern/one@1'))?.['origin'], upstream.url);
      await publish(upstream, '@pattern/two@1', '1.0.0');
      await publish(upstream, '@pattern/two@2', '2.0.0');
      const view = await remote.sync();
      assert.equal((await documentOf(mirror, '@pattern/two@1'))?.['origin'], upstream.url);
      assert.equal(await documentOf(mirror, '@pattern/two@2'), undefined);
      assert.equal(resultOf(view, '@pattern/in-use@1').status, 'skipped');
      assert.equal((await documentOf(mirror, '@pattern/in-use@1'))?.['version'], '9.0.0');
      assert.equal(view.lastSyncStatus, 'success');
    });

    test('becomes local when no pattern matches it any more, unless it is selected by its id', async () => {
      const { upstream, mirror, remote } = pair;
      await publish(upstream, '@partly/dropped@1', '1.0.0');
      await publish(upstream, '@partly/selected@1', '1.0.0');
      await remote.ask('PATCH', '', { selectedPatterns: ['@pattern/*@1', '@partly/*'] });
      await remote.sync();
      await remote.select('@partly/selected@1');
      await remote.ask('PATCH', '', { selectedPatterns: ['@pattern/*@1'] });
      assert.equal((await documentOf(mirror, '@partly/dropped@1'))?.['origin'], undefined);
      assert.equal((await documentOf(mirror, '@partly/selected@1'))?.['origin'], upstream.url);
      const view = await remote.sync();
      assert.ok(!view.results.some(({ artefactId }) => artefactId === '@partly/dropped@1'));
      assert.ok(view.results.some(({ artefactId }) => artefactId === '@pattern/one@1'));
    });

    test('is read back and repaired by a run with verify', async () => {
      const { upstream, mirror, remote } = pair;
      const id = '@acme/damaged@1';
      const file = await publish(upstream, id, '1.0.0');
      await remote.select(id);
      await damage(mirror, await digestOf(mirror, id));
      assert.equal(resultOf(await remote.sync(), id).status, 'unchanged');
      const view = await remote.sync('?verify=true');
      assert.deepEqual([resultOf(view, id).status, view.lastSyncStatus], ['updated', 'success']);
      assert.deepEqual(await bytesOf(mirror, id), file);
      assert.equal(resultOf(await remote.sync('?verify=true'), id).status, 'unchanged');
    });
  });
}
