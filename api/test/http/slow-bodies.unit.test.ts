import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { Type } from 'typebox';
import { acceptRawBody, readMultipart, readSmallFile } from '../../src/http/index.ts';
import { MULTIPART_TYPE, openConnection, requestHead, type RawConnection } from '../support/raw-http.ts';
import { startTestApp } from './test-app.ts';

const BODY_TIMEOUT_MS = 40;

async function startApp(t: TestContext, bodyTimeoutMs = BODY_TIMEOUT_MS) {
  return startTestApp(t, {
    bodyTimeoutMs,
    routes(app) {
      app.post('/json', { schema: { body: Type.Object({ a: Type.Number() }) } }, async (request) => request.body);
      app.delete('/nothing', async () => ({}));
      void app.register(async (uploads) => {
        acceptRawBody(uploads);
        uploads.post('/small-file', { config: { lateBody: true } }, async (request) => ({
          sizeBytes: (await readSmallFile(request, 1024)).length,
        }));
        uploads.post('/upload', { config: { lateBody: true } }, async (request) => {
          for await (const part of readMultipart(request, []))
            if ('content' in part) await part.content.resume().toArray();
          return { stored: true };
        });
      });
    },
  });
}

/** Sends a byte of a body again and again, until the connection closes. */
function drip(connection: RawConnection, byte: string): void {
  const timer = setInterval(() => {
    connection.socket.write(byte);
  }, 5);
  connection.socket.once('close', () => {
    clearInterval(timer);
  });
}

const FILE_HEAD = `--a-boundary-of-the-tests\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n`;

describe('a body that arrives byte by byte', () => {
  for (const [name, method, path, type, start] of [
    ['of JSON', 'POST', '/json', 'application/json', '{'],
    ['of JSON to a route without a schema', 'DELETE', '/nothing', 'application/json', '{'],
    ['with a small file', 'POST', '/small-file', MULTIPART_TYPE, FILE_HEAD],
  ] as const) {
    for (const length of [{ 'content-length': 20_000 }, { 'transfer-encoding': 'chunked' }])
      test(`${name}, ${Object.keys(length)[0]}, is answered with 408, and the connection closed`, async (t) => {
        const { url } = await startApp(t);
        const connection = await openConnection(url);
        const isChunked = 'transfer-encoding' in length;
        await connection.send(requestHead(method, path, { 'content-type': type, ...length }));
        await connection.send(isChunked ? `${start.length.toString(16)}\r\n${start}\r\n` : start);
        drip(connection, isChunked ? '1\r\n \r\n' : ' ');
        const { status, headers, body } = await connection.answer();
        const problem = JSON.parse(body) as { code: string };
        assert.deepEqual([status, problem.code, headers['connection']], [408, 'request_timeout', 'close']);
        await connection.closed();
      });
  }

  test('of an upload may take longer', async (t) => {
    const { url } = await startApp(t);
    const connection = await openConnection(url);
    const file = 'x'.repeat(20);
    const tail = '\r\n--a-boundary-of-the-tests--\r\n';
    const sizeBytes = FILE_HEAD.length + file.length + tail.length;
    await connection.send(
      requestHead('POST', '/upload', { 'content-type': MULTIPART_TYPE, 'content-length': sizeBytes }) + FILE_HEAD,
    );
    for (const byte of file) {
      await connection.send(byte);
      await sleep(BODY_TIMEOUT_MS / 5);
    }
    await connection.send(tail);
    const { status, body } = await connection.answer();
    assert.deepEqual([status, body], [200, '{"stored":true}']);
    connection.end();
  });
});

test('a body that arrives in time is accepted, and its connection serves on', async (t) => {
  const { url } = await startApp(t, 30_000);
  const connection = await openConnection(url);
  for (let round = 0; round < 3; round++) {
    await connection.send(requestHead('POST', '/json', { 'content-type': 'application/json', 'content-length': 7 }));
    await connection.send('{"a":');
    await connection.send('1}');
    assert.deepEqual((await connection.answer()).status, 200);
  }
  connection.end();
});
