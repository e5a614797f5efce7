// Many small slots come in answers that they share, from a registry that has a route for that.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, bytesOf, resultOf, share, type RemoteClient } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

const IDS = Array.from({ length: 40 }, (_unused, index) => `small/${index}`);

describe('a mirror of many small artefacts', () => {
  let upstream: TestServer;
  let mirror: TestServer;
  let proxy: TroubledProxy;
  let remote: RemoteClient;
  let files: Map<string, Buffer>;
  before(async () => {
    upstream = await startTestServer();
    mirror = await startTestServer();
    proxy = await startTroubledProxy(upstream.url);
    remote = await addRemote(mirror, proxy.url, await upstream.readKey({ type: 'organization', id: 'mirrors' }), { selectedPatterns: ['small/*'] });
    await publishAll();
    for (const id of IDS) await share(upstream, id);
  });
  afterEach(() => {
    proxy.trouble = undefined;
    proxy.cutAfterBytes = undefined;
    proxy.requests.length = 0;
    proxy.passedBytes = 0;
  });
  after(async () => { await Promise.all([mirror.close(), proxy.close(), upstream.close()]); });

  async function publishAll(): Promise<void> {
    files = new Map(IDS.map((id) => [id, randomBytes(50_000)]));
    for (const [id, file] of files) assert.equal((await upstream.upload(id, { format: 'file', file, fileName: 'data.bin' })).status, 201);
  }

  const asked = () => ({ together: proxy.requests.filter(({ path }) => path.includes('/downloads?')).length, alone: proxy.requests.filter(({ path }) => path.endsWith('/download')).length });

  async function assertMirrored(): Promise<void> {
    const view = await remote.sync();
    assert.equal(view.lastSyncStatus, 'success', view.lastSyncError);
    for (const [id, file] of files) {
      assert.equal(resultOf(view, id).status, 'updated');
      assert.ok((await bytesOf(mirror, id)).equals(file), id);
    }
  }

  test('asks for many at a time, and receives each once', async () => {
    await assertMirrored();
    const { together, alone } = asked();
    assert.ok(together > 0 && together <= 10, String(together));
    assert.ok(alone <= 4, String(alone));
    assert.ok(proxy.passedBytes < 40 * 50_000 * 1.5, String(proxy.passedBytes));
  });

  test('asks for each where such an answer was cut off, and for those that came no more', async () => {
    await publishAll();
    proxy.cutAfterBytes = 120_000;
    await assertMirrored();
    const { together, alone } = asked();
    assert.ok(together > 0, 'some were asked for together');
    assert.ok(alone > 0 && alone < IDS.length, String(alone));
  });

  test('takes no bytes of another digest, whatever the answer says of them', async () => {
    await publishAll();
    let lies = 0;
    proxy.trouble = async ({ url = '', headers }, response) => {
      if (!url.includes('/downloads?')) return false;
      const honest = await fetch(upstream.url + url, { headers: { 'x-api-key': String(headers['x-api-key']) } });
      const bytes = Buffer.from(await honest.arrayBuffer());
      bytes[70_000]! ^= 1;
      lies++;
      response.writeHead(200, { 'berth-parts': honest.headers.get('berth-parts') ?? '', 'content-length': bytes.length }).end(bytes);
      return true;
    };
    const view = await remote.sync();
    assert.ok(lies > 0);
    const failed = IDS.filter((id) => resultOf(view, id).status === 'failed');
    assert.equal(failed.length, lies);
    for (const id of failed) assert.match(resultOf(view, id).reason ?? '', /digest/);
    proxy.trouble = undefined;
    assert.equal((await remote.sync('?only=failed')).lastSyncStatus, 'success');
    for (const [id, file] of files) assert.ok((await bytesOf(mirror, id)).equals(file), id);
  });

  const answering = (header: string) => ({ 'berth-parts': header });
  for (const [what, status, headers] of [
    ['that it has no such route', 404, {}], ['that something went wrong', 500, {}], ['with a page, as it answers everything', 200, { 'content-type': 'text/html' }],
    ['with nothing, as its storage serves all', 200, answering('')], ['in words of its own', 200, answering('all of them')],
    ['with what nobody asked for', 200, answering(`99:50000:${'0'.repeat(64)}`)], ['with the same twice', 200, answering(`0:50000:${'0'.repeat(64)}, 0:50000:${'0'.repeat(64)}`)],
  ] as const) {
    test(`asks a registry for each that answers such a question ${what}`, async () => {
      await publishAll();
      proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/downloads?')) return false;
        response.writeHead(status, headers).end('<html>');
        return true;
      };
      await assertMirrored();
      assert.equal(asked().alone, IDS.length);
    });
  }
});
