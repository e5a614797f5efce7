// Watches of thousands of artefacts.

import assert from 'node:assert/strict';
import test from 'node:test';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { failing, onRequests, stalling } from './support/misbehaviours.ts';
import { makeWatchSetting, startWatch, TARBALL } from './support/watching.ts';

const MAX_READS = 8;
const MAX_CALLBACKS = 32;
const makeIds = (count: number): string[] => Array.from({ length: count }, (_, index) => `@acme/plugin-${index}@1`);

test('thousands of artefacts are read by few connections, one with an event before the others', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  const ids = makeIds(3000);
  for (const id of ids) registry.publish(id, { noarch: TARBALL }, { version: '0' });
  let [reads, mostReads] = [0, 0];
  const slowly = onRequests(
    '',
    200,
    stalling(1, (proceed) => setTimeout(proceed, 10)),
  );
  streams.misbehaveElsewhere((request, response) => {
    reads += 1;
    mostReads = Math.max(mostReads, reads);
    response.on('close', () => (reads -= 1));
    return slowly(request, response);
  });
  const last = ids.at(-1) ?? '';
  let updatesBeforeLast = 0;
  const watch = startWatch(t, {
    ...options,
    ids,
    onUpdate: ({ id }) => {
      if (id === last && updatesBeforeLast === 0) updatesBeforeLast = watch.updates.length;
    },
  });
  await eventually(() => {
    assert.ok(watch.updates.length > 100);
  });
  streams.emit(last);
  await watch.ready;
  assert.deepEqual([mostReads, watch.updates.length, watch.errors.length], [MAX_READS, ids.length, 0]);
  assert.ok(updatesBeforeLast < ids.length / 2, `${updatesBeforeLast} came before`);
  assert.ok(registry.requests.every(({ url }) => url.length < 4096));

  registry.requests.length = 0;
  registry.publish(last, { noarch: TARBALL }, { version: '1' });
  streams.emit(last);
  await eventuallyEqual(() => watch.history(last), ['0', '1']);
  assert.equal(registry.requests.length, 1);
});

test('during an outage, only some of many artefacts are asked for, until the stream is open again', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  const ids = makeIds(200);
  for (const id of ids) registry.publish(id, { noarch: TARBALL }, { version: '0' });
  streams.misbehave(failing(503, 'storage_unavailable'));
  streams.misbehaveElsewhere(failing(503, 'database_unavailable'));
  const watch = startWatch(t, { ...options, ids });
  const failedReads = (): number => watch.errors.filter(({ during }) => during === 'read').length;
  await eventually(() => {
    assert.ok(failedReads() >= MAX_READS);
  });
  await eventually(() => {
    assert.ok(streams.connections.length > 2);
  });
  // Others had begun when the first of these failed.
  assert.ok(failedReads() < 2 * MAX_READS);
  streams.misbehaveElsewhere(undefined);
  streams.misbehave(undefined);
  await watch.ready;
  assert.ok(failedReads() < 2 * MAX_READS);
});

test('callbacks run for a bounded number of artefacts at once', async (t) => {
  const { registry, options } = await makeWatchSetting(t);
  const ids = makeIds(100);
  for (const id of ids) registry.publish(id, { noarch: TARBALL }, { version: '0' });
  let [running, mostRunning] = [0, 0];
  let release: (() => void)[] = [];
  const watch = startWatch(t, {
    ...options,
    ids,
    onUpdate: async () => {
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      await new Promise<void>((resolve) => release.push(resolve));
      running -= 1;
    },
  });
  await eventuallyEqual(() => running, MAX_CALLBACKS);
  while (watch.updates.length < ids.length || running > 0) {
    const now = release;
    release = [];
    for (const end of now) end();
    await new Promise(setImmediate);
  }
  await watch.ready;
  assert.equal(mostRunning, MAX_CALLBACKS);
});
