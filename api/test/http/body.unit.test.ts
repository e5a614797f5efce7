import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { Type } from 'typebox';
import { defineError } from '../../src/errors.ts';
import { acceptRawBody, readMultipart } from '../../src/http/index.ts';
import { filePart, multipartBody, MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { startTestApp } from './test-app.ts';

const UnwantedError = defineError('test_unwanted', 403, 'Not wanted');
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const EXPECT = { expect: '100-continue' };

async function startApp(t: TestContext) {
  const started = await startTestApp(t, {
    routes(app) {
      void app.register(async (uploads) => {
        acceptRawBody(uploads);
        uploads.post('/upload/:id', { config: { lateBody: true } }, async (request) => {
          if ((request.params as { id: string }).id === 'refused') throw new UnwantedError('Not this one.');
          for await (const part of readMultipart(request, []))
            if ('content' in part) await part.content.resume().toArray();
          return {};
        });
      });
      app.post('/json', { schema: { body: Type.Object({ a: Type.Number() }) } }, async (request) => request.body);
      app.post(
        '/guarded',
        {
          onRequest: async () => {
            throw new UnwantedError('Not you.');
          },
        },
        async () => 'ok',
      );
    },
  });
  const connect = async () => {
    const accepted = once(started.app.server, 'connection') as Promise<[Socket]>;
    const connection = await openConnection(started.url);
    return { connection, serverSocket: (await accepted)[0] };
  };
  return { ...started, connect };
}

const upload = (path: string, sizeBytes: number, headers = {}) =>
  requestHead('POST', path, { 'content-type': MULTIPART_TYPE, 'content-length': sizeBytes, ...headers });

describe('a client that waits for 100 Continue', () => {
  test('is refused before it sends a byte of the body', async (t) => {
    const { connect } = await startApp(t);
    const { connection, serverSocket } = await connect();
    await connection.send(upload('/upload/refused', GIB, EXPECT));
    const { status, headers, interim } = await connection.answer();
    assert.deepEqual([status, interim, headers['connection']], [403, [], 'close']);
    await connection.closed();
    assert.ok(serverSocket.bytesRead < 1024, 'only the headers were read');
  });

  test('is refused likewise by a hook of the route, and by an unknown path', async (t) => {
    const { connect } = await startApp(t);
    for (const [path, expected] of [
      ['/guarded', 403],
      ['/nowhere', 404],
    ] as const) {
      const { connection } = await connect();
      await connection.send(
        requestHead('POST', path, { 'content-type': 'application/json', 'content-length': GIB, ...EXPECT }),
      );
      const { status } = await connection.answer();
      assert.equal(status, expected);
      await connection.closed();
    }
  });

  test('gets 100 Continue only once the route accepts the body', async (t) => {
    const { connect } = await startApp(t);
    const { connection } = await connect();
    const body = multipartBody([filePart('content')]);
    await connection.send(upload('/upload/wanted', body.length, EXPECT));
    assert.equal(await connection.interim(), 100);
    await connection.send(body);
    const { status, interim } = await connection.answer();
    assert.deepEqual([status, interim], [200, [100]]);
    connection.end();
  });

  test('gets 100 Continue immediately from routes with a JSON body', async (t) => {
    const { connect } = await startApp(t);
    const { connection } = await connect();
    await connection.send(
      requestHead('POST', '/json', { 'content-type': 'application/json', 'content-length': 7, ...EXPECT }),
    );
    assert.equal(await connection.interim(), 100);
    await connection.send('{"a":1}');
    assert.equal((await connection.answer()).body, '{"a":1}');
    connection.end();
  });
});

describe('a client that sends its body without waiting', () => {
  test('can read the refusal even if it first sends megabytes', async (t) => {
    const { connect } = await startApp(t);
    const { connection } = await connect();
    const sizeBytes = 48 * MIB;
    connection.socket.pause();
    await connection.send(upload('/upload/refused', sizeBytes));
    for (let sent = 0; sent < sizeBytes; sent += MIB) await connection.send(Buffer.alloc(MIB));
    connection.socket.resume();
    const { status, headers, body } = await connection.answer();
    assert.deepEqual([status, headers['connection']], [403, 'close']);
    assert.equal((JSON.parse(body) as { code: string }).code, 'test_unwanted');
    await connection.closed();
  });

  test('loses its connection after the refusal if it does not stop sending', async (t) => {
    const { connect } = await startApp(t);
    const { connection, serverSocket } = await connect();
    await connection.send(upload('/upload/refused', GIB));
    await connection.send(Buffer.alloc(MIB));
    assert.equal((await connection.answer()).status, 403);
    await connection.closed();
    assert.ok(serverSocket.bytesRead < 16 * MIB);
  });

  test('in chunked encoding is refused in the same way', async (t) => {
    const { connect } = await startApp(t);
    const { connection } = await connect();
    await connection.send(
      requestHead('POST', '/upload/refused', { 'content-type': MULTIPART_TYPE, 'transfer-encoding': 'chunked' }),
    );
    await connection.send('100000\r\n');
    await connection.send(Buffer.alloc(MIB));
    assert.equal((await connection.answer()).status, 403);
    connection.end();
  });

  test('keeps its connection if the body was read completely', async (t) => {
    const { connect } = await startApp(t);
    const { connection } = await connect();
    const body = multipartBody([filePart('content')]);
    for (let round = 0; round < 3; round++) {
      await connection.send(upload('/upload/wanted', body.length));
      await connection.send(body);
      const { status, headers } = await connection.answer();
      assert.deepEqual([status, headers['connection']], [200, 'keep-alive']);
    }
    connection.end();
  });

  test('and disconnects before the response does no harm', async (t) => {
    const { connect, url } = await startApp(t);
    for (const path of ['/upload/refused', '/upload/wanted']) {
      const { connection } = await connect();
      await connection.send(upload(path, GIB));
      await connection.send(Buffer.alloc(1000));
      connection.end();
      await connection.closed();
    }
    assert.equal(
      (
        await fetch(`${url}/json`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"a":1}',
        })
      ).status,
      200,
    );
  });
});
