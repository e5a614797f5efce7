// Watches whose stream of events is cut.

import assert from 'node:assert/strict';
import test from 'node:test';
import { eventJson } from './support/event-streams.ts';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { ID } from './support/setting.ts';
import { makeWatchSetting, startWatch } from './support/watching.ts';

const HEAD = 'retry: 100\n\n: heartbeat 0\nid: 0\n\n';
const PLACE_LENGTH = 'retry: 100\n\n: heartbeat 0\n'.length;
const EVENT_LENGTH = `id: 1\ndata: ${eventJson(1, ID)}\n\n`.length;

test('a stream that is cut at any byte is resumed, and nothing is missed', async (t) => {
  const cuts = Array.from({ length: HEAD.length + EVENT_LENGTH + 1 }, (_, bytes) => bytes);
  const checkCut = async (bytes: number): Promise<void> => {
    const { streams, options, publish, countQuietReads } = await makeWatchSetting(t);
    streams.cutNext(bytes);
    const watch = startWatch(t, options);
    await watch.ready;
    await eventually(() => {
      assert.ok(streams.connections.some(({ isOpen }) => isOpen));
    });
    publish('1');
    await eventuallyEqual(() => watch.history(ID).at(-1), '1');
    await eventually(() => {
      assert.ok(streams.connections.length > 1 && streams.connections.at(-1)?.isOpen);
    });
    publish('2');
    await eventuallyEqual(() => watch.history(ID).at(-1), '2');
    const isPlaceKnown = bytes >= PLACE_LENGTH;
    const isEventKnown = bytes >= HEAD.length + EVENT_LENGTH;
    const [, second] = streams.connections;
    assert.equal(second?.lastEventId, isEventKnown ? '1' : isPlaceKnown ? '0' : undefined, `cut at ${bytes}`);
    assert.equal(second?.query.get('after') ?? undefined, second?.lastEventId);
    assert.equal(countQuietReads(), isPlaceKnown ? 1 : 2, `cut at ${bytes}`);
    await watch.close();
  };
  while (cuts.length > 0) await Promise.all(cuts.splice(0, 20).map(checkCut));
});
