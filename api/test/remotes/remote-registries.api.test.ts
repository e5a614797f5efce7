import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { readEvents } from '../support/event-stream.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS, startTestServer } from '../support/test-server.ts';
import { addRemote, documentOf, publish, remoteClient, share, startPair, type Pair, type RemoteView } from './pair.ts';

for (const dialect of DIALECTS) {
  describe(`remote registries on ${dialect}`, () => {
    let pair: Pair;
    before(async () => {
      pair = await startPair(dialect);
    });
    after(async () => {
      await pair.close();
    });

    const create = async (body: unknown) =>
      pair.mirror.api('POST', '/remote-registries', { headers: await pair.mirror.superadmin(), body });

    test('store their key encrypted and show only its short id', async () => {
      const { mirror, key, remote } = pair;
      const view = await remote.get();
      assert.equal(view.apiKeyShortId, key.slice(0, 'reg_12345678'.length));
      const list = await (
        await mirror.api('GET', '/remote-registries', { headers: await mirror.superadmin() })
      ).text();
      assert.ok(!list.includes(key));
      const [row] = await query<{ api_key: string }>(mirror, 'select api_key from remote_registries');
      assert.match(row?.api_key ?? '', /^v1:/);
      assert.ok(!JSON.stringify(row).includes(key));
    });

    test('are identified by their normalised URL, which is unique', async () => {
      const { mirror, remote } = pair;
      const { _id: url } = await remote.get();
      await readProblem(await create({ url: `${url}/`, name: 'again', apiKey: 'x' }), 409, 'remote_exists');
      const created = await create({
        url: 'HTTPS://Example.org:443/registry/',
        name: 'other',
        apiKey: 'a-key-of-some-other-kind',
      });
      assert.equal(created.status, 201);
      const view = (await created.json()) as RemoteView;
      assert.deepEqual(
        [view._id, view.apiKeyShortId, view.selectedArtefacts, view.syncState],
        ['https://example.org/registry', 'a-key-of-som', [], 'idle'],
      );
      assert.match(view.schedule ?? '', /^\d+ \d+ \* \* \*$/);
      assert.ok((view.nextSyncAt ?? '') > new Date().toISOString());
      assert.equal((await remoteClient(mirror, 'https://example.org/registry/').ask('DELETE')).status, 204);
      await readProblem(
        await remoteClient(mirror, 'https://example.org/registry').ask('GET'),
        404,
        'remote_not_found',
      );
    });

    for (const [what, body, code] of [
      ['a URL with a password', { url: 'https://me:secret@example.org' }, 'remote_url_invalid'],
      ['another scheme', { url: 'ftp://example.org' }, 'remote_url_invalid'],
      ['no URL', { url: 'example' }, 'remote_url_invalid'],
      ['an invalid schedule', { schedule: 'every day' }, 'schedule_invalid'],
      ['a schedule without a next date', { schedule: '0 0 30 2 *' }, 'schedule_invalid'],
      ['an empty pattern', { selectedPatterns: ['category:'] }, 'pattern_invalid'],
      ['an empty key', { apiKey: '' }, 'request_invalid'],
      ['an unknown field', { password: 'x' }, 'request_invalid'],
    ] as const) {
      test(`are rejected with ${what}`, async () => {
        await readProblem(await create({ url: 'https://example.org', name: 'x', apiKey: 'x', ...body }), 400, code);
      });
    }

    test('are rejected with the URL of the registry itself', async () => {
      await readProblem(
        await create({ url: `${pair.mirror.server.config.PUBLIC_URL}/`, name: 'x', apiKey: 'x' }),
        400,
        'remote_url_invalid',
      );
    });

    test('are accessible to superadmins only', async () => {
      const { mirror, remote } = pair;
      for (const [method, path, body] of [
        ['GET', '/remote-registries'],
        ['POST', '/remote-registries', { url: 'https://example.org', name: 'x', apiKey: 'x' }],
        ['GET', remote.path],
        ['PATCH', remote.path, {}],
        ['DELETE', remote.path],
        ['GET', `${remote.path}/remote-artefacts`],
        ['GET', `${remote.path}/remote-thumbnails/x/data`],
        ['POST', `${remote.path}/selected-artefacts`, { artefactId: 'x' }],
        ['DELETE', `${remote.path}/selected-artefacts/x`],
        ['POST', `${remote.path}/sync`],
        ['GET', `${remote.path}/events`],
      ] as const) {
        const options = body === undefined ? {} : { body };
        assert.equal((await mirror.api(method, path, options)).status, 401, `${method} ${path}`);
        assert.equal(
          (await mirror.api(method, path, { ...options, headers: mirror.internal })).status,
          403,
          `${method} ${path}`,
        );
      }
    });

    test('list their artefacts with the state of the local mirrors', async () => {
      const { upstream, remote } = pair;
      await publish(upstream, 'shown@1', '1.0.0');
      await publish(upstream, 'shown@2', '2.0.0');
      await upstream.api('PATCH', '/artefacts/shown%402', { headers: upstream.internal, body: { deprecated: true } });
      let dates: Record<string, string | undefined> = {};
      const page = async () => {
        const response = await remote.ask('GET', '/remote-artefacts?q=shown');
        assert.equal(response.status, 200);
        const { results, count } = (await response.json()) as {
          results: { _id: string; local: { synced: boolean; upToDate: boolean; dataUpdatedAt?: string } }[];
          count: number;
        };
        dates = Object.fromEntries(results.map(({ _id, local }) => [_id, local.dataUpdatedAt]));
        return [results.map(({ _id, local }) => [_id, local.synced, local.upToDate]), count];
      };
      assert.deepEqual(await page(), [[['shown@1', false, false]], 1]);
      await remote.select('shown@1', 'shown@2');
      assert.deepEqual(
        new Set((await page())[0] as unknown[]),
        new Set([
          ['shown@2', true, true],
          ['shown@1', true, true],
        ]),
      );
      const before = (await documentOf(upstream, 'shown@1'))?.['dataUpdatedAt'];
      await publish(upstream, 'shown@1', '1.0.1');
      assert.deepEqual(
        new Set((await page())[0] as unknown[]),
        new Set([
          ['shown@1', true, false],
          ['shown@2', true, true],
        ]),
      );
      assert.equal(dates['shown@1'], before, 'the date of the mirrored version');
    });

    test('serve their thumbnails as images without active content', async () => {
      const { upstream, remote } = pair;
      await publish(upstream, 'pictured@1', '1.0.0');
      const form = new FormData();
      form.set(
        'file',
        new Blob(['<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>']),
        'icon.svg',
      );
      const { thumbnail } = (await (
        await fetch(`${upstream.url}/api/v1/artefacts/pictured%401/thumbnail`, {
          method: 'POST',
          headers: upstream.internal,
          body: form,
        })
      ).json()) as { thumbnail: { id: string } };
      const image = await remote.ask('GET', `/remote-thumbnails/${thumbnail.id}/data`);
      assert.deepEqual(
        [image.status, image.headers.get('content-type'), image.headers.get('x-content-type-options')],
        [200, 'image/svg+xml', 'nosniff'],
      );
      assert.match(image.headers.get('content-security-policy') ?? '', /sandbox/);
      await readProblem(await remote.ask('GET', '/remote-thumbnails/none/data'), 404, 'thumbnail_not_found');
      await readProblem(
        await remote.ask('GET', `/remote-thumbnails/${encodeURIComponent('../artefacts')}/data`),
        400,
        'thumbnail_id_invalid',
      );
    });

    test('select an artefact once, and none whose id is in use here', async () => {
      const { upstream, mirror, remote } = pair;
      await publish(upstream, 'chosen@1', '1.0.0');
      await remote.select('chosen@1');
      await readProblem(
        await remote.ask('POST', '/selected-artefacts', { artefactId: 'chosen@1' }),
        409,
        'already_selected',
      );
      await publish(mirror, 'local@1', '1.0.0');
      await readProblem(
        await remote.ask('POST', '/selected-artefacts', { artefactId: 'local@1' }),
        409,
        'selection_conflict',
      );
      await readProblem(
        await remote.ask('POST', '/selected-artefacts', { artefactId: 'npm' }),
        400,
        'artefact_id_invalid',
      );
    });

    test('are synchronised according to their schedule', async () => {
      const { upstream, mirror, remote } = pair;
      await publish(upstream, 'nightly@1', '1.0.0');
      await remote.ask('PATCH', '', { selectedPatterns: ['nightly@*'], schedule: '0 3 * * *' });
      const { nextSyncAt } = await remote.get();
      assert.match(nextSyncAt ?? '', /T03:00:00/);
      const { _id: id } = await remote.get();
      const due = new Date(Date.now() - 1000).toISOString();
      await query(mirror, `update remote_registries set next_full_at = '${due}' where id = '${id}'`);
      await query(mirror, `update job_runs set due_at = '${due}' where name = 'remotes.sync:${id}'`);
      await eventually(async () => {
        assert.equal((await documentOf(mirror, 'nightly@1'))?.['version'], '1.0.0');
      });
      await eventually(async () => {
        assert.match((await remote.get()).nextSyncAt ?? '', /T03:00:00/);
      });
    });

    test('send their progress as events', async () => {
      const { upstream, mirror, remote } = pair;
      const views: RemoteView[] = [];
      const response = await mirror.api('GET', `${remote.path}/events`, { headers: await mirror.superadmin() });
      assert.equal(response.headers.get('content-type'), 'text/event-stream');
      const reading = readEvents(response, ({ event, data }) => {
        assert.equal(event, 'sync');
        views.push(data as RemoteView);
      });
      assert.equal((await upstream.upload('watched', { format: 'file', file: Buffer.alloc(1000, 1) })).status, 201);
      await share(upstream, 'watched');
      await remote.select('watched');
      await eventually(async () => {
        const last = views.at(-1);
        assert.deepEqual(
          [
            last?.syncState,
            last?.results.find(({ artefactId }) => artefactId === 'watched')?.status,
            last?.syncProgress?.bytesDone,
          ],
          ['idle', 'updated', 1000],
        );
      });
      await reading.cancel();
    });

    test('leave their mirrors as local artefacts when they are removed', async () => {
      const { upstream, mirror } = pair;
      const other = await startTestServer();
      try {
        await publish(other, 'kept@1', '1.0.0');
        const remote = await addRemote(
          mirror,
          other.url,
          await other.readKey({ type: 'organization', id: 'mirrors' }),
        );
        await remote.select('kept@1');
        assert.equal((await documentOf(mirror, 'kept@1'))?.['origin'], other.url);
        assert.equal((await remote.ask('DELETE')).status, 204);
        assert.equal((await documentOf(mirror, 'kept@1'))?.['origin'], undefined);
        assert.equal((await mirror.upload('kept@1', { file: await publish(upstream, 'x@1', '1.0.1') })).status, 201);
      } finally {
        await other.close();
      }
    });
  });
}
