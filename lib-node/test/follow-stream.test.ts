// Following events over streams that fail in every way.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { followEvents, RegistryError } from '../dist/index.js';
import type { FollowEventsOptions } from '../dist/index.js';
import { addEventStreams, eventJson } from './support/event-streams.ts';
import type { EventStreams } from './support/event-streams.ts';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { follow } from './support/following.ts';
import { startForwardProxy } from './support/forward-proxy.ts';
import { failing, hanging } from './support/misbehaviours.ts';
import { makeRegistry } from './support/setting.ts';

async function makeStreams(t: TestContext): Promise<{ streams: EventStreams; options: FollowEventsOptions }> {
  const fixture = await makeRegistry(t);
  return { streams: addEventStreams(fixture), options: { registryUrl: fixture.url, retries: 0 } };
}

test('a stream that is cut at any byte is resumed: each event is yielded once', async (t) => {
  const head = 'retry: 100\n\n: heartbeat 0\nid: 0\n\n'.length;
  const event = `id: 1\ndata: ${eventJson(1, 'a')}\n\n`.length;
  const checkCut = async (bytes: number): Promise<void> => {
    const { streams, options } = await makeStreams(t);
    streams.cutNext(bytes);
    for (const subject of ['a', 'b']) streams.emit(subject);
    const following = follow(t, { ...options, after: 'oldest' });
    await eventually(() => {
      assert.ok(streams.connections.length > 1 && streams.connections.at(-1)?.isOpen);
    });
    streams.emit('c');
    await eventuallyEqual(() => following.events.map(({ subject }) => subject), ['a', 'b', 'c']);
    following.stop();
  };
  // Before the first message, nothing proves that there is a registry.
  const cuts = Array.from({ length: 2 * event }, (_, index) => 'retry: 100\n\n'.length + index);
  assert.ok(cuts.includes(head + event));
  while (cuts.length > 0) await Promise.all(cuts.splice(0, 20).map(checkCut));
});

test('before the first connection, failures are retried as often as the options say', async (t) => {
  const { streams, options } = await makeStreams(t);
  streams.misbehave(failing(503, 'database_unavailable'));
  const onInterruption = (): never => assert.fail('nothing was interrupted');
  const unavailable = followEvents({ ...options, retries: 1, onInterruption });
  await assert.rejects(unavailable.next(), { code: 'database_unavailable' });
  assert.equal(streams.connections.length, 2);
  streams.misbehave(failing(404, 'route_not_found'));
  await assert.rejects(followEvents({ ...options, retries: 5 }).next(), { status: 404, code: 'route_not_found' });
  assert.equal(streams.connections.length, 3);
});

test('after it, they are retried for as long as it takes, but no refusals', async (t) => {
  const { streams, options } = await makeStreams(t);
  const interruptions: string[] = [];
  const onInterruption = ({ code }: { code: string }): unknown => interruptions.push(code);
  const following = follow(t, { ...options, after: 'oldest', onInterruption });
  streams.emit('a');
  await eventuallyEqual(() => following.events.length, 1);
  streams.misbehave(failing(503, 'database_unavailable'));
  streams.cut();
  await eventually(() => {
    assert.deepEqual(interruptions.slice(0, 3), ['body_cut', 'database_unavailable', 'database_unavailable']);
  });
  streams.misbehave(undefined);
  streams.emit('b');
  await eventuallyEqual(() => following.events.length, 2);
  streams.forget();
  streams.cut();
  const failure = await following.failure;
  assert.equal(failure instanceof RegistryError && failure.code, 'events_gone');
});

test('leaving the loop, or the signal, ends the connection', async (t) => {
  const { streams, options } = await makeStreams(t);
  streams.emit('a');
  for await (const { subject } of followEvents({ ...options, after: 'oldest' })) {
    assert.equal(subject, 'a');
    break;
  }
  await eventuallyEqual(() => streams.connections.map(({ isOpen }) => isOpen), [false]);
  const waiting = follow(t, options);
  await eventuallyEqual(() => streams.connections.at(-1)?.isOpen, true);
  waiting.stop();
  assert.match(String(await waiting.failure), /stopped/);
  await eventuallyEqual(() => streams.connections.at(-1)?.isOpen, false);
  streams.misbehave(hanging());
  const connecting = follow(t, options);
  await eventuallyEqual(() => streams.connections.length, 3);
  connecting.stop();
  assert.match(String(await connecting.failure), /stopped/);
});

test('a stream goes through the proxy of the environment', async (t) => {
  const { streams, options } = await makeStreams(t);
  const proxy = await startForwardProxy();
  process.env['http_proxy'] = proxy.url;
  t.after(async () => {
    delete process.env['http_proxy'];
    await proxy.close();
  });
  // A name that only the proxy knows.
  const registryUrl = options.registryUrl.replace('127.0.0.1', 'registry.test');
  const following = follow(t, { ...options, registryUrl, after: 'oldest' });
  for (const subject of ['a', 'b']) {
    streams.emit(subject);
    await eventuallyEqual(() => following.events.at(-1)?.subject, subject);
  }
  assert.match(proxy.requests.join(), /GET http:\/\/registry\.test:\d+\/api\/v1\/events\/stream/);
  following.stop();
  assert.match(String(await following.failure), /stopped/);
});
