// When a watch reads and calls, and that it stops.

import assert from 'node:assert/strict';
import test from 'node:test';
import { watchArtefacts } from '../dist/index.js';
import type { ArtefactUpdate } from '../dist/index.js';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { failing, hanging, onRequests, stalling } from './support/misbehaviours.ts';
import { ID } from './support/setting.ts';
import { makeWatchSetting, QUIET, startWatch, TARBALL } from './support/watching.ts';

const ROUTE = encodeURIComponent(ID);

/** Makes a promise to be resolved from outside. */
function makeGate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

test('an upload while the first read is under way is reported', async (t) => {
  const { streams, options, publish } = await makeWatchSetting(t);
  streams.misbehaveElsewhere(
    onRequests(
      ROUTE,
      1,
      stalling(10, (proceed) => {
        publish('1');
        setTimeout(proceed, 50);
      }),
    ),
  );
  const watch = startWatch(t, options);
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.deepEqual(watch.errors, []);
});

test('while a callback runs, updates are not passed to it, and the last one is when it has ended', async (t) => {
  const { registry, streams, options, publish } = await makeWatchSetting(t);
  const gate = makeGate();
  let [running, mostRunning] = [0, 0];
  const watch = startWatch(t, {
    ...options,
    onUpdate: async ({ id }) => {
      if (id !== ID) return;
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      await gate.passed;
      running -= 1;
    },
  });
  await eventuallyEqual(() => watch.history(ID), ['0']);
  for (const version of ['1', '2', '3', '4']) publish(version);
  registry.publish(QUIET, { noarch: TARBALL }, { version: '1' });
  streams.emit(QUIET);
  await eventuallyEqual(() => watch.history(QUIET), ['0', '1']);
  assert.deepEqual([watch.history(ID), registry.countRequests(ROUTE)], [['0'], 1]);
  gate.open();
  await eventuallyEqual(() => watch.history(ID), ['0', '4']);
  assert.deepEqual([mostRunning, registry.countRequests(ROUTE)], [1, 2]);
});

test('a callback that fails is called again, with the state of that time, until it succeeds', async (t) => {
  const { options, publish } = await makeWatchSetting(t);
  let failures = 2;
  const seen: ArtefactUpdate[] = [];
  const watch = startWatch(t, {
    ...options,
    ids: [ID],
    pollIntervalMs: 100,
    onUpdate: (update) => {
      seen.push(update);
      if (update.artefact?.version === '0' || failures === 0) return;
      failures -= 1;
      if (failures === 1) throw new Error('thrown');
      publish('2');
      return Promise.reject(new Error('rejected'));
    },
  });
  await watch.ready;
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1', '1', '2']);
  assert.deepEqual(
    seen.map(({ dataChanged }) => dataChanged),
    [true, true, true, true],
  );
  assert.deepEqual(watch.errors, [
    { code: 'Error: thrown', during: 'update', id: ID },
    { code: 'Error: rejected', during: 'update', id: ID },
  ]);
});

test('metadata that changes after data whose callback failed does not hide the data', async (t) => {
  const { registry, streams, options, publish } = await makeWatchSetting(t);
  let mustFail = false;
  const watch = startWatch(t, {
    ...options,
    pollIntervalMs: 100,
    onUpdate: () => {
      if (mustFail) throw new Error('not now');
    },
  });
  await watch.ready;
  mustFail = true;
  publish('1');
  await eventuallyEqual(() => watch.history(ID).at(-1), '1');
  registry.edit(ID, { version: '1 edited' });
  mustFail = false;
  streams.emit(ID, 'artefact.metadata_changed');
  await eventuallyEqual(() => watch.last(ID)?.artefact?.version, '1 edited');
  assert.equal(watch.last(ID)?.dataChanged, true);
  registry.edit(ID, { version: '1 edited again' });
  streams.emit(ID, 'artefact.metadata_changed');
  await eventuallyEqual(() => watch.last(ID)?.artefact?.version, '1 edited again');
  assert.equal(watch.last(ID)?.dataChanged, false);
});

test('a failure of onError changes nothing', async (t) => {
  const { streams, options, publish } = await makeWatchSetting(t);
  let errors = 0;
  streams.misbehaveElsewhere(onRequests(ROUTE, 2, failing(500, 'internal_error')));
  const watch = startWatch(t, {
    ...options,
    pollIntervalMs: 50,
    onError: () => {
      errors += 1;
      if (errors === 1) throw new Error('thrown');
      return Promise.reject(new Error('rejected'));
    },
  });
  await watch.ready;
  assert.equal(errors, 2);
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
});

test('a document that cannot be read is read again, and holds up no other one', async (t) => {
  const { streams, options, publish } = await makeWatchSetting(t);
  const watch = startWatch(t, { ...options, pollIntervalMs: 200 });
  await watch.ready;
  streams.misbehaveElsewhere(onRequests(ROUTE, 3, failing(500, 'internal_error')));
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.deepEqual(watch.errors, Array(3).fill({ code: 'internal_error', during: 'read', id: ID }));
});

test('one document that cannot be read for long does not pause the reads of others', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  const watch = startWatch(t, options);
  await watch.ready;
  streams.misbehaveElsewhere(onRequests(ROUTE, Infinity, failing(500, 'internal_error')));
  for (let round = 1; round <= 10; round += 1) {
    streams.emit(ID);
    await eventually(() => {
      assert.ok(watch.errors.length >= round);
    });
    registry.publish(QUIET, { noarch: TARBALL }, { version: String(round) });
    streams.emit(QUIET);
    await eventuallyEqual(() => watch.history(QUIET).at(-1), String(round));
  }
});

test('a key that the registry refuses is an error, not a state of the artefacts', async (t) => {
  const { streams, options, publish } = await makeWatchSetting(t);
  const watch = startWatch(t, { ...options, pollIntervalMs: 100 });
  await watch.ready;
  streams.misbehave(failing(401, 'api_key_invalid'));
  streams.misbehaveElsewhere(failing(401, 'api_key_invalid'));
  streams.cut();
  await eventually(() => {
    assert.deepEqual(new Set(watch.errors.map(({ during }) => during)), new Set(['stream', 'read']));
  });
  assert.ok(watch.errors.every(({ code }) => code === 'api_key_invalid'));
  streams.misbehaveElsewhere(undefined);
  publish('1');
  await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  assert.deepEqual(watch.history(QUIET), ['0']);
});

for (const [status, age] of [
  [403, 'with events'],
  [404, 'with events'],
  [404, 'without events'],
] satisfies [number, string][])
  test(`${status} without a code is no state of a registry ${age} that states codes`, async (t) => {
    const { streams, options, registry } = await makeWatchSetting(t);
    if (age === 'without events') streams.misbehave(failing(404, 'route_not_found'));
    const ingress = onRequests('', Infinity, (_request, response) => !!response.writeHead(status).end('no backend'));
    const watch = startWatch(t, { ...options, pollIntervalMs: 20 });
    await watch.ready;
    streams.misbehave(ingress);
    streams.misbehaveElsewhere(ingress);
    streams.cut();
    await eventually(() => {
      assert.equal(watch.errors.find(({ during }) => during === 'read')?.code, `http_${status}`);
    });
    const first = startWatch(t, { ...options, pollIntervalMs: 20 });
    await first.ready;
    assert.deepEqual(first.history(ID), [status === 404 ? 'not_found' : 'not_shared']);
    streams.misbehaveElsewhere(undefined);
    registry.publish(ID, { noarch: TARBALL }, { version: '1' });
    await eventuallyEqual(() => watch.history(ID), ['0', '1']);
  });

test('no callback starts after the end, whatever is under way', async (t) => {
  const { registry, streams, options, publish } = await makeWatchSetting(t);
  const gate = makeGate();
  const ending = new AbortController();
  const fresh = startWatch(t, { ...options, signal: AbortSignal.abort() });
  await fresh.ready;

  const open = startWatch(t, { ...options, signal: ending.signal });
  const busy = startWatch(t, { ...options, onUpdate: () => gate.passed });
  await open.ready;
  await eventuallyEqual(() => busy.updates.length, 2);
  streams.misbehaveElsewhere(hanging());
  const reading = startWatch(t, options);
  const reads = registry.countRequests(ROUTE);
  publish('1');
  await eventuallyEqual(() => registry.countRequests(ROUTE), reads + 2);
  streams.misbehave(hanging());
  const connecting = startWatch(t, options);
  await eventuallyEqual(() => streams.connections.length, 4);
  streams.misbehave(failing(503, 'database_unavailable'));
  const pausing = startWatch(t, options);
  await eventuallyEqual(() => pausing.errors.length, 1);

  const watches = [fresh, open, busy, reading, connecting, pausing];
  const calls = (): number[] => watches.map(({ updates, errors }) => updates.length + errors.length);
  const before = calls();
  assert.equal(before[0], 0);
  ending.abort();
  // The signal ends one of them.
  await Promise.all(watches.filter((watch) => watch !== open).map((watch) => watch.close()));
  await Promise.all(watches.map(({ ready }) => ready));
  gate.open();
  streams.misbehaveElsewhere(undefined);
  streams.misbehave(undefined);
  const later = startWatch(t, options);
  await later.ready;
  publish('2');
  await eventuallyEqual(() => later.history(ID), ['1', '2']);
  assert.deepEqual(calls(), before);
  assert.equal(streams.connections.filter(({ isOpen }) => isOpen).length, 1);
});

test('a mistake in the options is a TypeError', () => {
  const options = { registryUrl: 'http://localhost', ids: [ID], onUpdate: () => undefined };
  for (const [wrong, message] of [
    [{ ids: undefined }, /ids is missing/],
    [{ ids: ['..'] }, /ids must be an array of artefact ids/],
    [{ onUpdate: undefined }, /onUpdate is missing/],
    [{ pollIntervalMs: 2 ** 31 }, /pollIntervalMs must be an integer from 1 to 2147483647/],
    [{ artefactId: ID }, /unknown option "artefactId"/],
  ] satisfies [object, RegExp][])
    assert.throws(() => watchArtefacts({ ...options, ...wrong } as typeof options), { name: 'TypeError', message });
});
