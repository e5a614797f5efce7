import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Intake } from '../../src/artefacts/index.ts';
import { createLiveIntakes } from '../../src/uploads/live-intakes.ts';

const MIB = 1024 * 1024;

/** What of an intake is asked here; real ones are in the tests over HTTP. */
function intake(heldBytes: number): Intake & { forgotten: boolean } {
  const it = { heldBytes, forgotten: false, forget() { it.forgotten = true; } };
  return it as unknown as Intake & { forgotten: boolean };
}

test('an intake that was kept is taken out once', () => {
  const live = createLiveIntakes();
  const kept = intake(1000);
  live.keep('a', kept);
  assert.equal(live.take('a'), kept);
  assert.equal(live.take('a'), undefined);
  assert.equal(kept.forgotten, false);
});

test('no more than 32 are kept, and the oldest goes first', () => {
  const live = createLiveIntakes();
  const intakes = Array.from({ length: 40 }, () => intake(1000));
  for (const [index, it] of intakes.entries()) live.keep(String(index), it);
  assert.equal(live.count, 32);
  assert.deepEqual(intakes.map(({ forgotten }) => forgotten), intakes.map((_it, index) => index < 8));
  live.close();
  assert.ok(intakes.every(({ forgotten }) => forgotten));
});

test('no more than 64 MiB are held, as the intakes count it', () => {
  const live = createLiveIntakes();
  const small = intake(MIB);
  const large = intake(60 * MIB);
  const larger = intake(65 * MIB);
  live.keep('small', small);
  live.keep('large', large);
  assert.equal(live.count, 2);
  live.keep('other', intake(10 * MIB));
  assert.deepEqual([small.forgotten, large.forgotten, live.count], [true, true, 1]);
  live.keep('larger', larger);
  assert.deepEqual([larger.forgotten, live.count], [true, 0]);
});

test('one that is not asked for goes after ten minutes', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const live = createLiveIntakes();
  const kept = intake(1000);
  live.keep('a', kept);
  t.mock.timers.tick(9 * 60_000);
  assert.equal(kept.forgotten, false);
  t.mock.timers.tick(2 * 60_000);
  assert.equal(kept.forgotten, true);
  assert.equal(live.take('a'), undefined);
});
