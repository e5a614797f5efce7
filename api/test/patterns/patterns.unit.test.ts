import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { assertPattern, matches, matchesText } from '../../src/patterns/index.ts';

describe('a pattern', () => {
  for (const [pattern, id, expected] of [
    ['@acme/*@1', '@acme/import-gpkg@1', true],
    ['@acme/*@1', '@acme/import-gpkg@11', false],
    ['@acme/*@1', '@acme/deep/er@1', false],
    ['@acme/**', '@acme/deep/er@1', true],
    ['*', '@acme/x', false],
    ['**', '@acme/x', true],
    ['a.b+c', 'a.b+c', true],
    ['a.b+c', 'axb+c', false],
    ['@acme/import-gpkg@*', '@acme/import-gpkg@main', true],
    ['@acme/import-gpkg@*', '@acme/import_gpkg@main', false],
    ['\\^$.+?()[]{}|/-#&~,=:', '\\^$.+?()[]{}|/-#&~,=:', true],
    ['category:tileset', 'anything', true],
    ['category:tile', 'anything', false],
  ] as const) {
    test(`${pattern} ${expected ? 'matches' : 'does not match'} ${id}`, () => {
      assert.equal(matches(pattern, { id, category: 'tileset' }), expected);
    });
  }
});

/** Reference implementation: translates a pattern into a regular expression. */
function matchesByExpression(pattern: string, id: string): boolean {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '[^]*' : part === '*' ? '[^/]*' : part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 'u').test(id);
}

test('short random patterns match exactly like their regular expressions', () => {
  const text = (letters: string, maxLength: number) =>
    Array.from({ length: randomInt(maxLength + 1) }, () => letters[randomInt(letters.length)]).join('');
  for (let round = 0; round < 20_000; round++) {
    const [pattern, id] = [text('ab/**', 7), text('ab/é', 7)];
    if (pattern === '') continue;
    assert.equal(
      matches(pattern, { id, category: '' }),
      matchesByExpression(pattern, id),
      JSON.stringify([pattern, id]),
    );
  }
});

test('a pattern that takes a backtracking matcher exponential time is matched at once', () => {
  const id = `${'a'.repeat(255)}b`;
  assert.equal(matches('*a'.repeat(128), { id, category: '' }), false);
  assert.equal(matches('**a'.repeat(85), { id, category: '' }), false);
  assert.equal(matches(`${'*a'.repeat(127)}*b`, { id, category: '' }), true);
});

for (const [what, pattern] of [
  ['empty', ''],
  ['without a category', 'category:'],
  ['too long', 'a'.repeat(257)],
  ['with a control character', 'a\nb'],
] as const) {
  test(`an invalid pattern is rejected: ${what}`, () => {
    assert.throws(
      () => {
        assertPattern(pattern);
      },
      { code: 'pattern_invalid' },
    );
  });
}

/** Patterns and ids that take a matcher which tries one alternative after the other the longest. */
const WORST_CASES = ['*-*-*-*@1', '**-**-**', '*'.repeat(256), '*a'.repeat(128), '**/**/**x', '*-'.repeat(60) + '@*'];

test('the steps of a match are at most the length of the pattern times that of the id', () => {
  const ids = ['-'.repeat(256), 'a'.repeat(255) + 'b', '-/'.repeat(128), '/'.repeat(256), '@acme/' + '-'.repeat(250)];
  for (let round = 0; round < 300; round++)
    ids.push(Array.from({ length: 256 }, () => 'a-/@x'[randomInt(5)]).join(''));
  for (const pattern of WORST_CASES) {
    for (const id of ids) {
      let steps = 0;
      matchesText(pattern, id, () => steps++);
      assert.ok(steps <= (pattern.length + 1) * id.length, `${steps} steps for ${pattern} and ${id.slice(0, 20)}…`);
    }
  }
});
