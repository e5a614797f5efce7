// The list of another registry is split without parsing it: like JSON.parse for valid texts, bounded for all others.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { splitJsonList } from '../../src/upstream/json-list.ts';

const STRINGS = ['', 'a,b', '[{"', '\\', '"', '\\"', 'results', ']}', 'é\u{1f6a2}\n', '{"results":[1]}'];
/** No key is a backslash: JSON.parse of Node 24.21 then reads the key `"` as one, too. */
const KEYS = STRINGS.filter((text) => text !== '\\');
const INVALID = { code: 'remote_answer_invalid' };
const split = (text: string, maxEntries = 1000) => splitJsonList(Buffer.from(text), 'results', maxEntries);

function randomValue(depth: number): unknown {
  const leaf = [null, true, 1.5, -0, 1e21, ...STRINGS];
  if (depth === 0 || randomInt(3) === 0) return leaf[randomInt(leaf.length)];
  const values = Array.from({ length: randomInt(4) }, () => randomValue(depth - 1));
  return randomInt(2) === 0
    ? values
    : Object.fromEntries(values.map((value) => [KEYS[randomInt(KEYS.length)], value]));
}

test('valid lists are split into the same entries that JSON.parse finds, in any layout', () => {
  for (let round = 0; round < 3000; round++) {
    const results = Array.from({ length: randomInt(5) }, () => randomValue(4));
    const list = [
      { count: 7, results },
      { results, count: 7 },
      { other: randomValue(3), results, last: [1] },
    ][randomInt(3)]!;
    const text = JSON.stringify(list, null, randomInt(3));
    const { entries, envelope } = split(text);
    assert.deepEqual(
      entries.map((entry) => JSON.parse(entry.toString()) as unknown),
      (JSON.parse(text) as typeof list).results,
      text,
    );
    assert.deepEqual(envelope, { ...(JSON.parse(text) as object), results: [] });
  }
});

test('random damage never leads to more than an error, or entries of which each is parsed on its own', () => {
  const valid = JSON.stringify({ count: 2, results: [{ _id: 'a', title: { fr: 'é"\\' } }, { _id: 'b' }] });
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(valid);
    for (let change = randomInt(1, 4); change > 0; change--)
      bytes[randomInt(bytes.length)] = [0x22, 0x5b, 0x5d, 0x7b, 0x7d, 0x2c, 0x5c, randomInt(256)][randomInt(8)]!;
    const text = bytes.subarray(randomInt(3), bytes.length - randomInt(3)).toString('latin1');
    try {
      split(text);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'remote_answer_invalid', text);
    }
  }
});

test('what is not a list, or has too many entries or too large an envelope, is refused', () => {
  for (const text of ['', 'null', '[]', '{}', '"results"', '{"results":{}}', '{"results":[', '{"results":[]'])
    assert.throws(() => split(text), INVALID, text);
  assert.throws(() => split(`{"results":[${'[],'.repeat(1000)}[]]}`), INVALID);
  assert.equal(split(`{"results":[${'[],'.repeat(999)}[]]}`).entries.length, 1000);
  assert.throws(() => split(`{"results":[],"x":"${'x'.repeat(70_000)}"}`), INVALID);
  assert.throws(() => split('['.repeat(5_000_000)), INVALID);
});
