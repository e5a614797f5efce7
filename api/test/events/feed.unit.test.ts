// One reader of the outbox for all streams of a process.

import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createFeed, type Feed } from '../../src/events/feed.ts';
import { OLDEST, type Position, type StoredEvent } from '../../src/events/outbox.ts';
import { eventually } from '../support/eventually.ts';

const INTERVAL_MS = 5;
const LIMIT = { timeout: 20_000 };
const at = (seq: number): Position => (seq === 0 ? OLDEST : { txId: 1, seq, id: `${seq}` });
const toEvent = (seq: number): StoredEvent => ({
  ...{ id: `${seq}`, type: 'artefact.updated', subject: 'a', time: '', data: '{}', actor: null },
  position: at(seq),
  visibility: undefined,
});

const numbers = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n + 1);

describe('the feed of events', () => {
  let feed: Feed;
  let count: number;
  let reads: number;
  let errors: unknown[];
  let failure: Error | undefined;
  /** Whether the feed was told of the end of the last outage. */
  let isRecovered: boolean;
  /** Runs during each read, after its rows were chosen. */
  let duringRead: () => Promise<void>;

  beforeEach(() => {
    [count, reads, errors, failure, isRecovered] = [0, 0, [], undefined, true];
    duringRead = () => nextTurn();
    feed = createFeed({
      intervalMs: INTERVAL_MS,
      onError: (error) => errors.push(error),
      recover() {
        reads++;
        isRecovered = failure === undefined;
        return failure ? Promise.reject(failure) : Promise.resolve();
      },
      async read(after, limit) {
        reads++;
        if (failure) throw failure;
        assert.ok(isRecovered);
        const rows = numbers(after.seq, Math.min(after.seq + limit, count)).map(toEvent);
        await duringRead();
        return rows;
      },
    });
  });
  afterEach(() => {
    feed.close();
  });

  /** Reads from a place until stopped. */
  function follow(after: number, pause: () => Promise<unknown> = () => Promise.resolve()) {
    const abort = new AbortController();
    const seen: number[] = [];
    const signal = AbortSignal.any([abort.signal, feed.lifetime]);
    const read = async () => {
      for (let place = at(after); ;) {
        const rows = await feed.next(place, signal);
        if (!rows) return;
        assert.ok(rows.length > 0);
        seen.push(...rows.map(({ position }) => position.seq));
        place = rows.at(-1)!.position;
        await pause();
      }
    };
    return { seen, abort, ended: read() };
  }

  test('gives every follower all events behind its place, once and in order, wherever it begins', async () => {
    const followers: { begin: number; it: ReturnType<typeof follow> }[] = [];
    for (let round = 0; round < 60; round++) {
      count += Math.floor(Math.random() * 130);
      const begin = Math.floor(Math.random() * (count + 1));
      const pause = async () => {
        for (let turns = Math.floor(Math.random() * 5); turns > 0; turns--) await nextTurn();
      };
      followers.push({ begin, it: follow(begin, pause) });
      if (Math.random() < 0.3) followers[Math.floor(Math.random() * followers.length)]!.it.abort.abort();
      await nextTurn();
    }
    await eventually(async () => {
      for (const { begin, it } of followers)
        if (!it.abort.signal.aborted) assert.deepEqual(it.seen, numbers(begin, count));
    });
    for (const { begin, it } of followers) {
      it.abort.abort();
      await it.ended;
      assert.deepEqual(it.seen, numbers(begin, begin + it.seen.length));
    }
  });

  test('reads once for all who wait, and not at all while nobody does', async () => {
    const followers = Array.from({ length: 50 }, () => follow(0));
    await eventually(async () => {
      assert.ok(reads > 60);
    });
    const before = reads;
    count = 1;
    await eventually(async () => {
      for (const { seen } of followers) assert.deepEqual(seen, [1]);
    });
    assert.ok(reads - before < 25, `${reads - before} reads`);
    for (const { abort, ended } of followers) {
      abort.abort();
      await ended;
    }
    await assertIdle();
  });

  test('gives a follower what others got while their own read found nothing yet', LIMIT, async () => {
    const held = Promise.withResolvers<void>();
    duringRead = () => (reads === 1 ? held.promise : nextTurn());
    const slow = follow(0);
    const other = follow(0);
    await eventually(async () => {
      assert.ok(reads > 3);
    });
    count = 1;
    await eventually(async () => {
      assert.deepEqual(other.seen, [1]);
    });
    held.resolve();
    await eventually(async () => {
      assert.deepEqual(slow.seen, [1]);
    });
    for (const { abort } of [slow, other]) abort.abort();
  });

  test('ends for a follower who leaves while events are read for them', async () => {
    const abort = new AbortController();
    duringRead = async () => {
      abort.abort();
      await nextTurn();
    };
    let rows: unknown = 'waiting';
    void feed.next(OLDEST, abort.signal).then((it) => (rows = it));
    await eventually(async () => {
      assert.equal(rows, undefined);
    }, 1_000);
    await assertIdle();
  });

  test('reports an outage once, and ends for all after it: they find their places again', LIMIT, async () => {
    for (const outage of ['first', 'second']) {
      count = 10;
      const waiting = [follow(10), follow(9), follow(0)];
      await eventually(async () => {
        for (const { seen } of waiting) assert.equal(seen.at(-1) ?? 10, 10);
      });
      [failure, isRecovered] = [new Error(outage), false];
      await eventually(async () => {
        assert.equal(String(errors.at(-1)), `Error: ${outage}`);
      });
      const behind = [follow(0), follow(10)];
      const before = reads;
      await eventually(async () => {
        assert.ok(reads > before + 5);
      });
      // The newest events are lost, and others take their numbers.
      [failure, count] = [undefined, 9];
      for (const { ended } of [...waiting, ...behind]) await ended;
      for (const { seen } of behind) assert.deepEqual(seen, []);
      const resumed = follow(9);
      count = 12;
      await eventually(async () => {
        assert.deepEqual(resumed.seen, [10, 11, 12]);
      });
      resumed.abort.abort();
      await resumed.ended;
    }
    assert.deepEqual(errors.map(String), ['Error: first', 'Error: second']);
    await assertIdle();
  });

  test('ends for all when it is closed', async () => {
    const followers = [follow(0), follow(0)];
    await eventually(async () => {
      assert.ok(reads > 5);
    });
    feed.close();
    for (const { ended } of followers) await ended;
    assert.equal(await feed.next(OLDEST, new AbortController().signal), undefined);
    await assertIdle();
  });

  /** It has stopped to read. */
  async function assertIdle(): Promise<void> {
    await eventually(async () => {
      const before = reads;
      await sleep(4 * INTERVAL_MS);
      assert.equal(reads, before);
    }, 1_000);
  }
});
