import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestApp, type TestAppOptions } from './test-app.ts';

const IDLE_TIMEOUT_MS = 50;
/** More than the buffers of a connection can hold. */
const LARGE = 64 * 1024 * 1024;

const routes: TestAppOptions['routes'] = (app) => {
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume().once('end', () => done(null));
  });
  app.post('/slow', async () => {
    await sleep(5 * IDLE_TIMEOUT_MS);
    return { stored: true };
  });
  app.get('/large', async (_request, reply) => reply.send(Buffer.alloc(LARGE)));
};
const options = { routes, idleTimeoutMs: IDLE_TIMEOUT_MS };

test('a complete request is answered, however long its handler takes', async (t) => {
  const { url } = await startTestApp(t, options);
  const connection = await openConnection(url);
  await connection.send(requestHead('POST', '/slow', { 'content-type': 'a/b', 'content-length': 3 }) + 'abc');
  const { status, body } = await connection.answer();
  assert.deepEqual([status, body], [200, '{"stored":true}']);
  connection.end();
});

test('the connection of a client that stops in the middle of its body is closed', async (t) => {
  const { url } = await startTestApp(t, options);
  const connection = await openConnection(url);
  await connection.send(requestHead('POST', '/slow', { 'content-type': 'a/b', 'content-length': 4 }) + 'abc');
  await connection.closed();
});

test('the connection of a client that does not read its response is closed', async (t) => {
  const { url } = await startTestApp(t, options);
  const connection = await openConnection(url);
  connection.socket.pause();
  await connection.send(requestHead('GET', '/large'));
  await assert.doesNotReject(async () => {
    // Start reading after the timeout: only a part of the response has been sent.
    await sleep(5 * IDLE_TIMEOUT_MS);
    let receivedBytes = 0;
    connection.socket.on('data', (chunk) => {
      receivedBytes += chunk.length;
    });
    connection.socket.resume();
    await connection.closed();
    assert.ok(receivedBytes < LARGE);
  });
});

test('a connection on which no request has begun does not delay a shutdown', { timeout: 30_000 }, async (t) => {
  const { app, url } = await startTestApp(t);
  const connection = await openConnection(url);
  await eventually(async () => {
    const open = await new Promise((done) => app.server.getConnections((_error, count) => done(count)));
    assert.equal(open, 1);
  });
  await app.close();
  await connection.closed();
});
