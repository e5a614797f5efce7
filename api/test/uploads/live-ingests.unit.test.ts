import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ingest } from '../../src/artefacts/index.ts';
import { createLiveIngests } from '../../src/uploads/live-ingests.ts';

const MIB = 1024 * 1024;

/** Fakes the parts of an ingest that the cache uses; the API tests use real ingests. */
function ingest(heldBytes: number): Ingest & { forgotten: boolean } {
  const fake = {
    heldBytes,
    forgotten: false,
    forget() {
      fake.forgotten = true;
    },
  };
  return fake as unknown as Ingest & { forgotten: boolean };
}

test('a cached ingest can be taken once', () => {
  const live = createLiveIngests();
  const kept = ingest(1000);
  live.keep('a', kept);
  assert.equal(live.take('a'), kept);
  assert.equal(live.take('a'), undefined);
  assert.equal(kept.forgotten, false);
});

test('at most 32 ingests are cached, and the oldest is evicted first', () => {
  const live = createLiveIngests();
  const ingests = Array.from({ length: 40 }, () => ingest(1000));
  for (const [index, it] of ingests.entries()) live.keep(String(index), it);
  assert.equal(live.count, 32);
  assert.deepEqual(
    ingests.map(({ forgotten }) => forgotten),
    ingests.map((_it, index) => index < 8),
  );
  live.close();
  assert.ok(ingests.every(({ forgotten }) => forgotten));
});

test('cached ingests hold at most 64 MiB', () => {
  const live = createLiveIngests();
  const small = ingest(MIB);
  const large = ingest(60 * MIB);
  const larger = ingest(65 * MIB);
  live.keep('small', small);
  live.keep('large', large);
  assert.equal(live.count, 2);
  live.keep('other', ingest(10 * MIB));
  assert.deepEqual([small.forgotten, large.forgotten, live.count], [true, true, 1]);
  live.keep('larger', larger);
  assert.deepEqual([larger.forgotten, live.count], [true, 0]);
});

test('an unused ingest is evicted after ten minutes', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const live = createLiveIngests();
  const kept = ingest(1000);
  live.keep('a', kept);
  t.mock.timers.tick(9 * 60_000);
  assert.equal(kept.forgotten, false);
  t.mock.timers.tick(2 * 60_000);
  assert.equal(kept.forgotten, true);
  assert.equal(live.take('a'), undefined);
});
