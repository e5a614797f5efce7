import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge, toCells } from '../support/claims.ts';
import { withResults } from '../support/performance-page.ts';
import { median, percentile } from '../support/statistics.ts';
import { takeTurns } from '../support/turns.ts';

describe('a claim', () => {
  test('beside a peer is judged by the median of the ratios of its runs', () => {
    const result = judge({
      claim: 'upload: x',
      unit: 'MB/s',
      ours: [80, 180, 10],
      peer: [100, 200, 100],
      bar: { atLeast: 0.8 },
    });
    assert.equal(result.ratio, 0.8);
    assert.equal(result.verdict, 'pass');
    assert.deepEqual(toCells(result), ['upload: x', '80 MB/s', '100 MB/s', '0.80', '≥ 0.8', 'pass']);
  });

  test('without a peer is judged by the median of its runs', () => {
    const result = judge({ claim: 'start: x', unit: 'ms', ours: [900, 1600, 1500.5], bar: { atMost: 1500 } });
    assert.equal(result.verdict, 'fail');
    assert.deepEqual(toCells(result), ['start: x', '1501 ms', '-', '-', '≤ 1500 ms', 'fail']);
  });

  test('without a bar is only reported', () => {
    assert.deepEqual(toCells(judge({ claim: 'list: x', unit: 'ms', ours: [1.2345] })), [
      'list: x',
      '1.23 ms',
      '-',
      '-',
      '-',
      'not judged',
    ]);
  });
});

test('the p95 of twenty values is the second largest, the median of four the mean of the two in the middle', () => {
  const values = Array.from({ length: 20 }, (_unused, index) => 20 - index);
  assert.equal(percentile(values, 95), 19);
  assert.equal(percentile([3], 95), 3);
  assert.equal(median([9, 1, 3, 4]), 3.5);
});

test('contestants are measured in rotating order, after a warm-up round', async () => {
  const calls: string[] = [];
  const contestant = (name: string) => async (round: number) => {
    calls.push(name + String(round));
    return round;
  };
  assert.deepEqual(await takeTurns(2, { a: contestant('a'), b: contestant('b') }), { a: [1, 2], b: [1, 2] });
  assert.deepEqual(calls, ['a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
});

describe('the page', () => {
  const ORDER = ['upload-crash', 'list'];
  const measured = (claim: string, figure: number) => ({
    names: [claim.split(':', 1)[0] ?? ''],
    machine: '2 cores.',
    results: [judge({ claim, unit: 'ms', ours: [figure] })],
  });

  test('gets the rows of the measured benchmarks and keeps those of others', () => {
    const empty = 'Before\n<!-- results -->\nNothing yet.\n<!-- /results -->\nafter';
    const once = withResults(withResults(empty, measured('list: a', 1), ORDER), measured('upload-crash: b', 2), ORDER);
    const page = withResults(once, measured('list: c', 3), ORDER);
    assert.deepEqual(page.split('\n'), [
      'Before',
      '<!-- results -->',
      '2 cores.',
      '',
      '| claim | ours | peer | ratio | bar | pass/fail |',
      '| --- | --- | --- | --- | --- | --- |',
      '| upload-crash: b | 2 ms | - | - | - | not judged |',
      '| list: c | 3 ms | - | - | - | not judged |',
      '<!-- /results -->',
      'after',
    ]);
  });

  test('without markers for the table is rejected', () => {
    assert.throws(() => withResults('Nothing.', measured('list: a', 1), ORDER), /has no table between/);
  });
});
