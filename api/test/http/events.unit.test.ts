import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { FastifyInstance, FastifyReply } from 'fastify';
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
  let position: (() => string) | undefined;
  let requests: number;
  let beforeOpening: (reply: FastifyReply) => Promise<void>;

  beforeEach(async () => {
    streams = [];
    const closedHere: EventStream[] = (closed = []);
    isAllowed = () => Promise.resolve(true);
    app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
    requests = 0;
    position = undefined;
    beforeOpening = () => Promise.resolve();
    const openStream = eventStreams(app, { heartbeatMs: 10, stallMs: 200 });
    app.get('/', async (_request, reply) => {
      requests++;
      await beforeOpening(reply);
      const stream = openStream(reply, { isAllowed: () => isAllowed(), ...(position && { position }) });
      stream.onClose(() => {
        closedHere.push(stream);
      });
      streams.push(stream);
      return reply;
    });
    url = await app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(() => app.close());

  function open() {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    let text = '';
    socket.on('data', (part: string) => {
      text += part;
    });
    return { socket, received: () => text };
  }

  test('arrive in order at every client, and no cache or proxy stores them', async () => {
    const events: StreamedEvent[] = [];
    const responses = await Promise.all([fetch(url), fetch(url)]);
    const readers = responses.map((response) => readEvents(response, (event) => events.push(event)));
    const [{ headers }] = responses;
    assert.deepEqual(
      ['content-type', 'cache-control', 'x-accel-buffering'].map((name) => headers.get(name)),
      ['text/event-stream', 'no-store', 'no'],
    );
    for (const stream of streams) stream.send({ event: 'sweep', data: JSON.stringify({ removed: 'two\n\nlines' }) });
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
    const { socket, received } = open();
    await eventually(async () => {
      assert.ok(received().split(': heartbeat\n\n').length > 3);
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
    streams[0]!.send({ event: 'sweep', data: '{}' });
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
    streams[0]!.send({ event: 'sweep', data: '1' });
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
    streams[0]!.send({ event: 'sweep', data: '{}' });
  });

  test('end at the client when the server stops, without delaying it', async () => {
    const reader = readEvents(await fetch(url), () => undefined);
    await app.close();
    await reader.ended;
    assert.deepEqual(closed, streams);
  });

  test('to a client that reads too slowly are cut off: what is buffered is bounded', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually(async () => {
      assert.equal(streams.length, 1);
    });
    const large = 'x'.repeat(1_000_000);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (let n = 0; n < 500; n++) streams[0]!.send({ data: large });
    assert.ok(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before < 100_000_000);
    await eventually(async () => {
      assert.deepEqual(closed, streams);
    });
    assert.ok(streams[0]!.signal.aborted);
    await streams[0]!.drained();
    socket.destroy();
    await once(socket, 'close');
  });

  test('wait for a client that reads slowly, which gets them all', async () => {
    const sent = numbers(200).map((n) => `${n} ${'x'.repeat(50_000)}`);
    const { socket, received } = open();
    await eventually(async () => {
      assert.equal(streams.length, 1);
    });
    socket.pause();
    const sending = (async () => {
      for (const data of sent) {
        streams[0]!.send({ data });
        await streams[0]!.drained();
      }
      streams[0]!.end();
    })();
    for (let turn = 0; turn < 50; turn++) {
      await nextTurn();
      socket.read(1_000);
    }
    socket.resume();
    await sending;
    await eventually(async () => {
      assert.ok(received().endsWith('\r\n0\r\n\r\n'));
    });
    socket.destroy();
    const lines = received().match(/^data: .*$/gm);
    assert.deepEqual(
      lines,
      sent.map((data) => `data: ${data}`),
    );
  });

  test('end for a client that reads nothing any more', async () => {
    const { socket } = open();
    await eventually(async () => {
      assert.equal(streams.length, 1);
    });
    socket.pause();
    let sent = 0;
    const sending = (async () => {
      for (; !streams[0]!.signal.aborted; sent++) {
        streams[0]!.send({ data: 'x'.repeat(100_000) });
        await streams[0]!.drained();
      }
    })();
    await sending;
    assert.ok(sent < 500, `${sent} were buffered by the kernel`);
    await eventually(async () => {
      assert.deepEqual(closed, streams);
    });
    socket.destroy();
  });

  test('tell their place at the start and at each heartbeat, in a comment and as the ID to resume from', async () => {
    let place = 'a';
    position = () => place;
    const { socket, received } = open();
    for (const next of ['b', 'c', 'c']) {
      const { length } = received();
      await eventually(async () => {
        const begin = length === 0 ? 'retry: 2000\n\n' : '';
        assert.match(received().slice(length), new RegExp(`${begin}: heartbeat ${place}\nid: ${place}\n\n`));
      });
      place = next;
    }
    streams[0]!.send({ id: 'd', data: '{}' });
    await eventually(async () => {
      assert.match(received(), /\r\nid: d\ndata: \{\}\n\n\r\n/);
    });
    socket.destroy();
  });

  test('do not begin for a client who has left before', async () => {
    const asked = new Set<number>();
    const left = Promise.withResolvers<void>();
    beforeOpening = async ({ raw }) => {
      await once(raw, 'close');
      left.resolve();
    };
    isAllowed = () => {
      asked.add(streams.length);
      return Promise.resolve(true);
    };
    const { socket } = open();
    await eventually(async () => {
      assert.equal(requests, 1);
    });
    socket.destroy();
    await left.promise;
    await eventually(async () => {
      assert.equal(streams.length, 1);
      assert.deepEqual(closed, streams);
    }, 1_000);
    assert.ok(streams[0]!.signal.aborted);
    await streams[0]!.drained();
    streams[0]!.send({ data: '{}' });
    assert.deepEqual([...asked], []);
  });
});

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
