// Watches whose stream of events fails in every way, or does not exist.

import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { describe } from 'node:test';
import { eventJson } from './support/event-streams.ts';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { failing, hanging } from './support/misbehaviours.ts';
import type { Misbehaviour } from './support/registry-fixture.ts';
import { ID } from './support/setting.ts';
import { makeWatchSetting, NEVER_MS, QUIET, startWatch, TARBALL } from './support/watching.ts';

test('a change while the stream is down is reported when it is resumed', async (t) => {
  const { streams, options, publish, countQuietReads } = await makeWatchSetting(t);
  const watch = startWatch(t, options);
  await watch.ready;
  streams.misbehave(failing(503, 'database_unavailable'));
  streams.cut();
  publish('1');
  await eventuallyEqual(() => watch.errors.at(0)?.code, 'database_unavailable');
  assert.deepEqual(watch.history(ID), ['0']);
  streams.misbehave(undefined);
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.equal(countQuietReads(), 1);
  assert.deepEqual(watch.errors, [{ code: 'database_unavailable', during: 'stream', id: undefined }]);
  streams.misbehave(failing(503, 'database_unavailable'));
  streams.cut();
  await eventuallyEqual(() => watch.errors.length, 2);
});

test('a stream that does not say its place counts as none', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  streams.misbehave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.write('retry: 100\n\n: heartbeat\n\n');
  });
  const watch = startWatch(t, { ...options, pollIntervalMs: 20, streamTimeoutMs: NEVER_MS });
  await watch.ready;
  registry.publish(ID, { noarch: TARBALL }, { version: '1' });
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.deepEqual([streams.connections.length, watch.errors], [1, []]);
});

test('if the events since the last one are gone, every artefact is read', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  const watch = startWatch(t, options);
  await watch.ready;
  registry.publish(ID, { noarch: TARBALL }, { version: '1' });
  streams.forget();
  streams.cut();
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  const conditions = registry.requests
    .filter(({ url }) => url.endsWith(encodeURIComponent(ID)))
    .map(({ headers }) => headers['if-none-match'] !== undefined);
  assert.deepEqual([conditions, watch.errors], [[false, true], []]);
});

test('without events, a registry is polled, and asked for events again from time to time', async (t) => {
  const { registry, streams, options, publish } = await makeWatchSetting(t);
  streams.misbehave(failing(404, 'route_not_found'));
  const watch = startWatch(t, { ...options, pollIntervalMs: 20, refreshIntervalMs: 300 });
  await watch.ready;
  registry.publish(ID, { noarch: TARBALL }, { version: '1' });
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.equal(streams.connections.length, 1);
  streams.misbehave(undefined);
  await eventually(() => {
    assert.ok(streams.connections.at(-1)?.isOpen);
  });
  publish('2');
  await eventuallyEqual(() => watch.history(ID), ['0', '1', '2']);
  assert.deepEqual(watch.errors, []);
});

const html: Misbehaviour = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Berth</title>');
  return true;
};

/** Longer than the first delays of connections that are expected to succeed soon. */
const SOON_MS = 1500;

describe('artefacts are polled, and the stream is asked for rarely', { concurrency: true }, () => {
  for (const [name, misbehaviour, code] of [
    ['401', failing(401, 'unauthenticated'), 'unauthenticated'],
    ['403', failing(403, 'forbidden'), 'forbidden'],
    ['400', failing(400, 'validation_failed'), 'validation_failed'],
    ['a page instead of a stream', html, 'bad_answer'],
    ['404', failing(404, 'route_not_found'), undefined],
    ['404 without a code, as of an ingress', (_, response) => !!response.writeHead(404).end('no'), undefined],
  ] satisfies [string, Misbehaviour, string | undefined][])
    test(`after ${name}`, async (t) => {
      const { registry, streams, options } = await makeWatchSetting(t);
      streams.misbehave(misbehaviour);
      const watch = startWatch(t, { ...options, pollIntervalMs: 20 });
      await watch.ready;
      const startedAt = performance.now();
      for (let version = 1; performance.now() < startedAt + SOON_MS; version += 1) {
        registry.publish(ID, { noarch: TARBALL }, { version: String(version) });
        await eventuallyEqual(() => watch.history(ID).at(-1), String(version));
      }
      assert.equal(streams.connections.length, 1);
      assert.deepEqual(watch.errors, code === undefined ? [] : [{ code, during: 'stream', id: undefined }]);
    });
});

for (const [name, misbehaviour] of [
  ['500', failing(500, 'internal_error')],
  ['a closed connection', (request) => !!request.socket.destroy()],
  ['no answer', hanging()],
] satisfies [string, Misbehaviour][])
  test(`while connecting fails by ${name}, it is tried again and again, and artefacts are polled`, async (t) => {
    const { registry, streams, options, publish } = await makeWatchSetting(t);
    streams.misbehave(misbehaviour);
    const watch = startWatch(t, { ...options, pollIntervalMs: 20, streamTimeoutMs: 100 });
    await watch.ready;
    registry.publish(ID, { noarch: TARBALL }, { version: '1' });
    await eventuallyEqual(() => watch.history(ID), ['0', '1']);
    await eventually(() => {
      assert.ok(streams.connections.length > 1);
    });
    assert.equal(watch.errors.length, 1);
    streams.misbehave(undefined);
    await eventually(() => {
      assert.ok(streams.connections.at(-1)?.isOpen);
    });
    publish('2');
    await eventuallyEqual(() => watch.history(ID), ['0', '1', '2']);
  });

for (const [name, text] of [
  ['that is not JSON', 'id: 9\ndata: {"id":\n\n'],
  ['that is no event', 'id: 9\ndata: {"id":"9"}\n\n'],
  ['that is null', 'id: 9\ndata: null\n\n'],
  ['with an id that no header can carry', `id: 9é\ndata: ${eventJson(9, QUIET)}\n\n`],
  ['with an endless line', `data: ${'x'.repeat(1024 * 1024)}`],
  ['with endless lines', 'data: x\n'.repeat(600_000)],
  ['with an endless comment', `:${'x'.repeat(1024 * 1024)}`],
] satisfies [string, string][])
  test(`a stream with something ${name} is given up, and every artefact is read`, async (t) => {
    const { registry, streams, options, publish } = await makeWatchSetting(t);
    const watch = startWatch(t, options);
    await watch.ready;
    registry.publish(ID, { noarch: TARBALL }, { version: '1' });
    streams.send(text);
    await eventuallyEqual(() => watch.history(ID), ['0', '1']);
    assert.deepEqual(watch.errors, [{ code: 'bad_answer', during: 'stream', id: undefined }]);
    assert.deepEqual(
      streams.connections.map(({ lastEventId }) => lastEventId),
      [undefined, undefined],
    );
    publish('2');
    await eventuallyEqual(() => watch.history(ID), ['0', '1', '2']);
  });

test('a stream that is refused for a while goes on from where it stopped', async (t) => {
  const { streams, options } = await makeWatchSetting(t);
  const watch = startWatch(t, { ...options, refreshIntervalMs: 100 });
  await watch.ready;
  streams.misbehave(failing(401, 'api_key_invalid'));
  streams.cut();
  await eventuallyEqual(() => watch.errors, [{ code: 'api_key_invalid', during: 'stream', id: undefined }]);
  streams.misbehave(undefined);
  await eventuallyEqual(() => streams.connections.at(-1)?.isOpen, true);
  assert.equal(streams.connections.at(-1)?.lastEventId, '0');
});

test('events of other artefacts, and of none, cost no request', async (t) => {
  const { registry, streams, options, publish } = await makeWatchSetting(t);
  const watch = startWatch(t, options);
  await watch.ready;
  const before = registry.requests.length;
  streams.emit('@acme/other@1');
  const other = JSON.stringify({ id: 'x', type: 'berth.new', data: {} });
  streams.send(`: a comment\n\nunknown: field\n\ndata: ${other}\n\n`);
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.equal(registry.requests.length, before + 1);
  assert.deepEqual(watch.errors, []);
});

test('a stream without even heartbeats is replaced, from where it stopped', async (t) => {
  const { streams, options, publish } = await makeWatchSetting(t);
  const watch = startWatch(t, { ...options, streamTimeoutMs: 1000 });
  await watch.ready;
  publish('1');
  await eventually(() => {
    assert.equal(streams.connections[1]?.lastEventId, '1');
  });
  const heartbeat = setInterval(() => {
    streams.send(': heartbeat\n\n');
  }, 50);
  t.after(() => {
    clearInterval(heartbeat);
  });
  await eventually(() => {
    assert.ok(streams.connections.at(-1)?.isOpen);
  });
  const connections = streams.connections.length;
  for (let beats = 0; beats < 50; beats += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(streams.connections.length, connections);
  assert.deepEqual([watch.history(ID), watch.errors], [['0', '1'], []]);
});

test('behind a proxy that buffers, the stream counts as dead, and artefacts are polled', async (t) => {
  const { registry, options, publish } = await makeWatchSetting(t);
  const proxy = createServer((request, response) => {
    const onward = httpRequest(registry.url + request.url, { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      response.flushHeaders();
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => response.end(Buffer.concat(chunks)));
      answer.on('error', () => response.destroy());
    });
    response.on('close', () => onward.destroy());
    onward.on('error', () => response.destroy()).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const registryUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const timing = { streamTimeoutMs: 200, pollIntervalMs: 50, refreshIntervalMs: NEVER_MS };
  const watch = startWatch(t, { ...options, ...timing, registryUrl });
  await watch.ready;
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  await eventually(() => {
    assert.equal(watch.errors[0]?.during, 'stream');
  });
});
