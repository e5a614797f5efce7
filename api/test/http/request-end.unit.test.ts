import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMetrics, eventStreams, readRawBody, sendBytes } from '../../src/http/index.ts';
import { eventually } from '../support/eventually.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestApp } from './test-app.ts';

const MEBIBYTE = 1024 * 1024;

async function startApp(t: TestContext) {
  const metrics = createMetrics();
  const waiting = Promise.withResolvers<undefined>();
  const started = await startTestApp(t, {
    routes(app) {
      metrics.observe(app);
      const open = eventStreams(app);
      app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => {
        done(null);
      });
      app.addHook('onRequest', (request, _reply, done) => {
        request.loggedActor = { kind: 'upload-key', id: 'key-1' };
        done();
      });
      app.put('/items/:id', { config: { lateBody: true } }, async (request) => {
        await readRawBody(request, () => Promise.resolve(), AbortSignal.timeout(60_000));
        return 'ok';
      });
      app.get('/items/:id', async (_request, reply) =>
        sendBytes(reply, { status: 200, headers: {} }, async (write) => {
          for (;;) await write(Buffer.alloc(MEBIBYTE));
        }),
      );
      app.get('/failing', async (_request, reply) =>
        sendBytes(reply, { status: 200, headers: {} }, async (write) => {
          await write(Buffer.alloc(MEBIBYTE));
          throw new Error('the disk failed');
        }),
      );
      app.get('/slow', () => waiting.promise);
      app.get('/events', (_request, reply) => {
        open(reply, { isAllowed: () => Promise.resolve(true) }).send({ event: 'state', data: '{}' });
      });
    },
  });
  t.after(() => {
    waiting.resolve(undefined);
  });
  const lines = () => started.logs.filter(({ msg }) => msg === 'request');
  /** Waits for the only line, and for the numbers that the metrics have then. */
  const end = async () => {
    await eventually(async () => assert.equal(lines().length, 1));
    // A second line would follow when the handler has ended as well.
    await sleep(50);
    assert.equal(lines().length, 1);
    assert.equal(started.app.requestsInProgress(), 0);
    const [line = {}] = lines();
    const { text } = await metrics.render();
    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find((it) => it.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    const { method, route, status, abortedDuring, bytesIn, bytesOut } = line;
    const labels = `{method="${String(method)}",route="${String(route)}",status="${String(status)}"}`;
    assert.equal(value(`berth_http_request_duration_seconds_count${labels}`), 1);
    assert.equal(value('berth_http_received_bytes_total'), bytesIn);
    assert.equal(value('berth_http_sent_bytes_total'), bytesOut);
    for (const during of ['upload', 'wait', 'download'])
      assert.equal(value(`berth_http_aborted_requests_total{during="${during}"}`), during === abortedDuring ? 1 : 0);
    return line;
  };
  return { ...started, end };
}

test('an upload that the client aborts is one line with its bytes', async (t) => {
  const { url, end } = await startApp(t);
  const connection = await openConnection(url);
  const head = requestHead('PUT', '/items/1', {
    'content-type': 'application/octet-stream',
    'content-length': 9_000_000,
  });
  await connection.send(head + 'x'.repeat(500_000));
  await sleep(50);
  connection.socket.resetAndDestroy();
  const { method, path, route, status, ip, bytesIn, actor, aborted, abortedDuring, durationMs } = await end();
  assert.deepEqual(
    { method, path, route, status, ip, actor, aborted, abortedDuring },
    {
      method: 'PUT',
      path: '/items/1',
      route: '/items/:id',
      status: 499,
      ip: '127.0.0.1',
      actor: { kind: 'upload-key', id: 'key-1' },
      aborted: true,
      abortedDuring: 'upload',
    },
  );
  assert.equal(bytesIn, head.length + 500_000);
  assert.ok(Number(durationMs) > 0);
});

test('a download that the client aborts is one line with its bytes', async (t) => {
  const { url, end } = await startApp(t);
  const connection = await openConnection(url);
  await connection.send(requestHead('GET', '/items/1'));
  while (connection.socket.bytesRead < 3 * MEBIBYTE) await sleep(5);
  connection.socket.resetAndDestroy();
  const { status, bytesOut, abortedDuring } = await end();
  assert.deepEqual([status, abortedDuring], [499, 'download']);
  assert.ok(Number(bytesOut) >= 3 * MEBIBYTE);
});

test('a client that does not wait for the answer is one line', async (t) => {
  const { app, url, end } = await startApp(t);
  const connection = await openConnection(url);
  await connection.send(requestHead('GET', '/slow'));
  await eventually(async () => assert.equal(app.requestsInProgress(), 1));
  connection.socket.destroy();
  const { status, abortedDuring } = await end();
  assert.deepEqual([status, abortedDuring], [499, 'wait']);
});

test('a download that the server cannot finish counts as its own failure', async (t) => {
  const { url, end } = await startApp(t);
  await assert.rejects(fetch(`${url}/failing`).then((response) => response.arrayBuffer()));
  const { status, abortedDuring } = await end();
  assert.deepEqual([status, abortedDuring], [500, 'download']);
});

test('connections that are closed by a shutdown are lines, too', async (t) => {
  const { app, url, end } = await startApp(t);
  const connection = await openConnection(url);
  await connection.send(requestHead('GET', '/items/1'));
  await eventually(async () => assert.ok(connection.socket.bytesRead > 0));
  app.server.closeAllConnections();
  const { status, abortedDuring } = await end();
  assert.deepEqual([status, abortedDuring], [499, 'download']);
});

test('an event stream that the client leaves has ended as usual', async (t) => {
  const { url, end } = await startApp(t);
  const connection = await openConnection(url);
  await connection.send(requestHead('GET', '/events'));
  await eventually(async () => assert.ok(connection.socket.bytesRead > 0));
  connection.socket.destroy();
  const { status, aborted } = await end();
  assert.deepEqual([status, aborted], [200, undefined]);
});
