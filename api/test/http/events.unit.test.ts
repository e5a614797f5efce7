import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, eventStreams, type EventStream } from '../../src/http/index.ts';
import { readEvents, type StreamedEvent } from '../support/event-stream.ts';
import { eventually } from '../support/eventually.ts';

describe('server-sent events', () => {
  let app: FastifyInstance;
  let url: string;
  let streams: EventStream[];
  /** Streams of the present app. */
  let closed: EventStream[];
  let isAllowed: () => Promise<boolean>;

  beforeEach(async () => {
    streams = [];
    const closedHere: EventStream[] = (closed = []);
    isAllowed = () => Promise.resolve(true);
    app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
    const open = eventStreams(app, { heartbeatMs: 10 });
    app.get('/', (_request, reply) => {
      const stream = open(reply, () => isAllowed());
      stream.onClose(() => {
        closedHere.push(stream);
      });
      streams.push(stream);
    });
    url = await app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(() => app.close());

  test('arrive in order at every client, and no cache or proxy stores them', async () => {
    const events: StreamedEvent[] = [];
    const responses = await Promise.all([fetch(url), fetch(url)]);
    const readers = responses.map((response) => readEvents(response, (event) => events.push(event)));
    const [{ headers }] = responses;
    assert.deepEqual(
      ['content-type', 'cache-control', 'x-accel-buffering'].map((name) => headers.get(name)),
      ['text/event-stream', 'no-store', 'no'],
    );
    for (const stream of streams) stream.send('sweep', { removed: 'two\n\nlines' });
    await eventually(async () => {
      assert.deepEqual(
        events,
        Array.from({ length: 2 }, () => ({ event: 'sweep', data: { removed: 'two\n\nlines' } })),
      );
    });
    for (const reader of readers) await reader.cancel();
  });

  test('end at once for HEAD, which asks for the headers only', async () => {
    const response = await fetch(url, { method: 'HEAD' });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    await eventually(async () => assert.deepEqual(closed, streams));
  });

  test('have heartbeat comments between them', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    let text = '';
    socket.on('data', (part: string) => {
      text += part;
    });
    await eventually(async () => {
      assert.ok(text.split(': heartbeat\n\n').length > 3);
    });
    socket.destroy();
  });

  test('end at a heartbeat once they are no longer allowed', async () => {
    const reader = readEvents(await fetch(url), () => undefined);
    isAllowed = () => Promise.resolve(false);
    await reader.ended;
    await eventually(async () => {
      assert.deepEqual(closed, streams);
    });
    streams[0]!.send('sweep', {});
  });

  test('go on while it is not known whether they are allowed', async () => {
    const events: StreamedEvent[] = [];
    const reader = readEvents(await fetch(url), (event) => events.push(event));
    let asked = 0;
    isAllowed = () => {
      asked++;
      return Promise.reject(new Error('the database is unavailable'));
    };
    await eventually(async () => {
      assert.ok(asked > 3);
    });
    streams[0]!.send('sweep', 1);
    await eventually(async () => {
      assert.deepEqual(events, [{ event: 'sweep', data: 1 }]);
    });
    await reader.cancel();
  });

  test('end at the server when the client disconnects', async () => {
    const reader = readEvents(await fetch(url), () => undefined);
    await reader.cancel();
    await eventually(async () => {
      assert.deepEqual(closed, streams);
    });
    streams[0]!.send('sweep', {});
  });

  test('end at the client when the server stops, without delaying it', async () => {
    const reader = readEvents(await fetch(url), () => undefined);
    await app.close();
    await reader.ended;
    assert.deepEqual(closed, streams);
  });

  test('are dropped, not buffered, for a client that does not read', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually(async () => {
      assert.equal(streams.length, 1);
    });
    const large = 'x'.repeat(1_000_000);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (let n = 0; n < 500; n++) streams[0]!.send('sweep', large);
    assert.ok(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before < 100_000_000);
    socket.destroy();
    await once(socket, 'close');
  });
});
