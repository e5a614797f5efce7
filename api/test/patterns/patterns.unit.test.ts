import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { assertPattern, matches } from '../../src/patterns/index.ts';

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
    test(`${pattern} ${expected ? 'finds' : 'does not find'} ${id}`, () => {
      assert.equal(matches(pattern, { id, category: 'tileset' }), expected);
    });
  }
});

/** As a regular expression, which is how the language is explained. */
function matchesByExpression(pattern: string, id: string): boolean {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '[^]*' : part === '*' ? '[^/]*' : part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 'u').test(id);
}

test('patterns of few letters match whatever the expressions do that explain them', () => {
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

test('a pattern that a backtracking matcher would be busy with for years is answered', () => {
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
  test(`a pattern that is ${what} is refused`, () => {
    assert.throws(
      () => {
        assertPattern(pattern);
      },
      { code: 'pattern_invalid' },
    );
  });
}
