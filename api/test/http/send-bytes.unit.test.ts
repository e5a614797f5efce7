import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, sendBytes, type ByteSource } from '../../src/http/index.ts';
import { eventually } from '../support/eventually.ts';

const HEADERS = { 'content-length': '6', 'x-kind': 'bytes' };

describe('responses that are sent chunk by chunk', () => {
  let app: FastifyInstance;
  let url: string;
  let source: ByteSource;
  let headers: Record<string, string> = HEADERS;
  const logs: string[] = [];

  before(async () => {
    app = createHttpServer({
      basePath: '',
      trustedProxies: ['loopback'],
      logLevel: 'info',
      logStream: { write: (line) => void logs.push(line) },
    });
    app.get('/', async (_request, reply) => sendBytes(reply, { status: 200, headers }, source));
    url = await app.listen({ port: 0, host: '127.0.0.1' });
  });
  after(() => app.close());

  test('arrive complete with their headers, and are logged as a request', async () => {
    source = async (write) => {
      for (const part of ['abc', 'def']) await write(Buffer.from(part));
    };
    const response = await fetch(url);
    assert.equal(response.headers.get('x-kind'), 'bytes');
    assert.equal(response.headers.get('x-request-id')?.length, 36);
    assert.equal(await response.text(), 'abcdef');
    assert.ok(logs.some((line) => line.includes('"status":200')));
  });

  test('allow the source to reuse the memory of a written chunk', async () => {
    const memory = Buffer.alloc(3);
    source = async (write) => {
      for (const part of ['abc', 'def']) {
        memory.write(part);
        await write(memory);
      }
    };
    assert.equal(await (await fetch(url)).text(), 'abcdef');
  });

  test('become a problem document if their source fails before the first chunk', async () => {
    source = () => Promise.reject(new Error('secret path /var'));
    const response = await fetch(url);
    assert.equal(response.status, 500);
    const problem = (await response.json()) as { code: string };
    assert.equal(problem.code, 'internal_error');
    assert.ok(!JSON.stringify(problem).includes('/var'));
  });

  test('are aborted if their source fails half-way, so that the client sees that they are incomplete', async () => {
    source = async (write) => {
      await write(Buffer.from('abc'));
      throw new Error('disk');
    };
    const response = await fetch(url);
    await assert.rejects(response.text());
    assert.ok(logs.some((line) => line.includes('download failed half-way')));
  });

  test('end when the client disconnects', async () => {
    const client = new AbortController();
    const ended = new Promise<void>((resolve) => {
      source = async (write) => {
        try {
          for (;;) await write(Buffer.alloc(1024 * 1024));
        } finally {
          resolve();
        }
      };
    });
    const response = await fetch(url, { signal: client.signal });
    client.abort();
    await assert.rejects(response.arrayBuffer());
    await ended;
  });

  for (const value of ['1.0.0\r\nset-cookie: a=b', '\u{1f6a2}', 'a\0b']) {
    for (const chunks of [0, 2]) {
      test(`become a problem document if ${JSON.stringify(value)} is a header, before ${chunks} chunks`, async () => {
        source = async (write) => {
          for (let chunk = 0; chunk < chunks; chunk++) await write(Buffer.from('abc'));
        };
        headers = { 'x-version': value };
        const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
        assert.deepEqual([response.status, response.headers.get('set-cookie')], [500, null]);
        assert.equal(((await response.json()) as { code: string }).code, 'internal_error');
        headers = HEADERS;
        source = async (write) => write(Buffer.from('abcdef'));
        assert.equal(await (await fetch(url)).text(), 'abcdef');
      });
    }
  }

  test('may have no chunks', async () => {
    source = async () => undefined;
    assert.equal((await fetch(url, { method: 'HEAD' })).headers.get('content-length'), '6');
  });
});

test('every response ends, whenever its client resets the connection', async () => {
  const app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  let pending = 0;
  app.get('/', async (_request, reply) => {
    pending++;
    return sendBytes(reply, { status: 200, headers: {} }, async (write) => {
      // Reading ahead, as the storage does, leads to a write at the moment when the connection closes.
      for (let chunk = 0; chunk < 200; chunk++)
        await Promise.all([
          write(Buffer.alloc(256 * 1024)),
          new Promise((resolve) => {
            setImmediate(resolve);
          }),
        ]);
    }).finally(() => {
      pending--;
    });
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  for (let round = 0; round < 20; round++) {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n');
    });
    await once(socket, 'data');
    socket.resetAndDestroy();
  }
  await eventually(async () => {
    assert.equal(pending, 0);
  });
  await app.close();
});
