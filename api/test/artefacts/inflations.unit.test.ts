import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { createInflations } from '../../src/artefacts/inflations.ts';

const BUSY = { code: 'tarball_reads_busy', status: 503, headers: { 'retry-after': '5' } };
const never = new AbortController().signal;

/** Begins an inflation, and tells whether it has its turn. */
function begin(inflations: ReturnType<typeof createInflations>, owner: string, signal = never) {
  const state = { isRunning: false, end: () => undefined as void };
  const turn = inflations.begin(owner, signal).then((end) => {
    Object.assign(state, { isRunning: true, end });
  });
  turn.catch(() => undefined);
  return Object.assign(state, { turn });
}
const runningOf = (it: { isRunning: boolean }[]) => it.map(({ isRunning }) => isRunning);

describe('inflations of tarballs', () => {
  test('run two at a time, the others in order', async () => {
    const inflations = createInflations();
    const all = ['a', 'b', 'c', 'd'].map((owner) => begin(inflations, owner));
    await nextTurn();
    assert.deepEqual(runningOf(all), [true, true, false, false]);
    all[1]?.end();
    all[1]?.end();
    await nextTurn();
    assert.deepEqual(runningOf(all), [true, true, true, false]);
    all[0]?.end();
    await nextTurn();
    assert.equal(all[3]?.isRunning, true);
  });

  test('run one at a time for each caller, so that no caller keeps others waiting', async () => {
    const inflations = createInflations();
    const greedy = Array.from({ length: 5 }, () => begin(inflations, 'greedy'));
    await assert.rejects(inflations.begin('greedy', never), BUSY);
    const modest = begin(inflations, 'modest');
    await nextTurn();
    assert.deepEqual(runningOf([...greedy, modest]), [true, false, false, false, false, true]);
    const next = begin(inflations, 'next');
    greedy[0]?.end();
    await nextTurn();
    assert.deepEqual(runningOf([...greedy, next]), [true, true, false, false, false, false]);
    modest.end();
    await nextTurn();
    assert.equal(next.isRunning, true);
  });

  test('are refused if many wait', async () => {
    const inflations = createInflations();
    for (let index = 0; index < 2 + 16; index++) begin(inflations, `owner ${index}`);
    await assert.rejects(inflations.begin('one more', never), BUSY);
  });

  test('are refused after a while, and then do not get a turn', async () => {
    const inflations = createInflations({ waitMs: 1 });
    const [first, second] = [begin(inflations, 'a'), begin(inflations, 'b')];
    await assert.rejects(inflations.begin('c', never), BUSY);
    first.end();
    second.end();
    await Promise.all(['d', 'e'].map((owner) => inflations.begin(owner, never)));
  });

  test('are given up when the client has gone', async () => {
    const inflations = createInflations();
    const first = begin(inflations, 'a');
    begin(inflations, 'b');
    const gone = new AbortController();
    const waiting = begin(inflations, 'c', gone.signal);
    gone.abort(new Error('gone'));
    await assert.rejects(waiting.turn, /gone/);
    await assert.rejects(inflations.begin('d', gone.signal), /gone/);
    first.end();
    await inflations.begin('e', never);
    assert.equal(waiting.isRunning, false);
  });
});
