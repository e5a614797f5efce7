import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { globSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { artefactPath, patchArtefact, uploadArtefact } from '../artefacts/documents.ts';
import { eventually } from '../support/eventually.ts';
import { startExampleNginx, type ExampleNginx } from '../support/nginx-example.ts';
import { readProblem } from '../support/problems.ts';
import { filePart, multipartBody, MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { signIn, startTestServer, ADMIN_EMAIL, ADMIN_PASSWORD, type TestServer } from '../support/test-server.ts';

for (const basePath of ['', '/registry']) {
  describe(`Berth behind nginx at ${basePath || 'the root of a host'}`, () => {
    let server: TestServer;
    let nginx: ExampleNginx;
    let base: string;
    before(async () => {
      server = await startTestServer({ env: { PUBLIC_URL: `http://localhost${basePath}`, LOG_LEVEL: 'info' } });
      nginx = await startExampleNginx({
        upstreams: [server.url],
        ...(basePath !== '' && { changes: { 'location / {': `location ${basePath}/ {` } }),
      });
      base = `${nginx.url}${basePath}`;
    });
    after(async () => {
      const errors = await nginx.close();
      await server.close();
      assert.equal(errors, '');
    });
    const upload = async (id: string, file: Uint8Array) => {
      const form = new FormData();
      form.set('file', new Blob([file]), 'bytes');
      return fetch(`${base}/api/v1/artefacts/file/${encodeURIComponent(id)}`, {
        method: 'POST',
        headers: { 'x-api-key': await server.uploadKey() },
        body: form,
      });
    };

    test('accepts encoded IDs unchanged', async () => {
      for (const id of ['@acme/import gpkg@1', 'maps/ä+b%2Fc/x', 'a%20b', 'ends/events']) {
        await uploadArtefact(server, id, { file: await npmTarball() });
        await patchArtefact(server, id, { public: true });
        const response = await fetch(`${base}/api/v1${artefactPath(id)}`);
        assert.equal(response.status, 200, id);
        assert.equal(((await response.json()) as { _id: string })._id, id);
      }
    });

    test('accepts and serves files of any size', async () => {
      const file = randomBytes(20_000_000);
      assert.equal((await upload('large', file)).status, 201);
      await patchArtefact(server, 'large', { public: true });
      const key = await server.readKey({ type: 'organization', id: 'acme' });
      const response = await fetch(`${base}/api/v1/artefacts/large/download`, { headers: { 'x-api-key': key } });
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(file));
    });

    test('receives an upload while it arrives, unbuffered', async () => {
      const connection = await openConnection(nginx.url);
      const body = multipartBody([filePart(randomBytes(1_000_000))]);
      const half = body.length / 2;
      await connection.send(
        requestHead('POST', `${basePath}/api/v1/artefacts/file/slow`, {
          'x-api-key': await server.uploadKey(),
          'content-type': MULTIPART_TYPE,
          'content-length': body.length,
        }),
      );
      await connection.send(body.subarray(0, half));
      await eventually(async () => assert.equal(globSync(`${server.dataDir}/blobs/*/*~part`).length, 1));
      await connection.send(body.subarray(half));
      assert.equal((await connection.answer()).status, 201);
      connection.end();
    });

    test('refuses an upload before its body is sent', async () => {
      const connection = await openConnection(nginx.url);
      await connection.send(
        requestHead('POST', `${basePath}/api/v1/artefacts/npm/refused`, {
          'content-type': MULTIPART_TYPE,
          'content-length': 50_000_000,
        }),
      );
      const { status, body } = await connection.answer();
      assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [401, 'unauthenticated']);
      connection.end();
    });

    test('rejects the internal secret and hides the metrics', async () => {
      await readProblem(
        await fetch(`${base}/api/v1/artefacts`, { headers: server.internal }),
        421,
        'secret_key_through_proxy',
      );
      await readProblem(await fetch(`${base}/metrics`), 404, 'route_not_found');
    });

    test('logs the real address of the client, whatever headers it sends', async () => {
      const response = await fetch(`${base}/api/v1/artefacts`, {
        headers: { 'x-forwarded-for': '203.0.113.9', 'forwarded': 'for=203.0.113.9;host=evil.example' },
      });
      const requestId = response.headers.get('x-request-id') ?? '';
      await eventually(async () =>
        assert.match(server.logs.find((line) => line.includes(requestId)) ?? '', /"ip":"127\.0\.0\.1"/),
      );
    });

    test('sends events without delay', async () => {
      const response = await fetch(`${base}/api/v1/storage/events`, {
        headers: await signIn(base, ADMIN_EMAIL, ADMIN_PASSWORD),
      });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      assert.match(Buffer.from((await reader.read()).value ?? []).toString(), /^retry: \d+\n/);
      await reader.cancel();
    });

    test('accepts changes of a signed-in user from its own pages only', async () => {
      const session = await signIn(base, ADMIN_EMAIL, ADMIN_PASSWORD);
      const grant = (id: string, headers: Record<string, string>) =>
        fetch(`${base}/api/v1/access-grants`, {
          method: 'POST',
          headers: { ...session, 'content-type': 'application/json', ...headers },
          body: JSON.stringify({ account: { type: 'organization', id } }),
        });
      assert.equal((await grant('own', { origin: nginx.url })).status, 201);
      await readProblem(await grant('foreign', { origin: 'http://evil.example' }), 403, 'cross_origin');
    });
  });
}

describe('nginx in front of several servers', () => {
  test("distributes a client's requests, and uses the other servers once one is down", async () => {
    const servers = [await startTestServer(), await startTestServer()];
    const nginx = await startExampleNginx({ upstreams: servers.map(({ url }) => url) });
    try {
      const statuses = async () =>
        Promise.all(Array.from({ length: 10 }, async () => (await fetch(`${nginx.url}/api/ping`)).status));
      assert.deepEqual(new Set(await statuses()), new Set([200]));
      await servers[0]?.close();
      assert.deepEqual(new Set(await statuses()), new Set([200]));
    } finally {
      await nginx.close();
      await servers[1]?.close();
    }
  });

  test('passes on events without delay, and paths unchanged', async () => {
    const requestedPaths: (string | undefined)[] = [];
    let events: ServerResponse | undefined;
    const source = createServer(({ url }, response) => {
      requestedPaths.push(url);
      events = response.writeHead(200, { 'content-type': 'text/event-stream' });
      events.write('data: first\n\n');
    }).listen(0, '127.0.0.1');
    await once(source, 'listening');
    const nginx = await startExampleNginx({
      upstreams: [`http://127.0.0.1:${(source.address() as AddressInfo).port}`],
    });
    try {
      const path = '/api/v1/remote-registries/https%3A%2F%2Fexample.org%2f/events';
      const reader = ((await fetch(nginx.url + path)).body as ReadableStream<Uint8Array>).getReader();
      const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
      assert.equal(await next(), 'data: first\n\n');
      events?.write('data: second\n\n');
      assert.equal(await next(), 'data: second\n\n');
      events?.end();
      assert.equal(await next(), '');
      assert.deepEqual(requestedPaths, [path]);
    } finally {
      await nginx.close();
      source.close();
    }
  });
});
