import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { filesOf, PARTS } from '../../scripts/test-parts.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

const PATH = 'docs/guides/security.md';
const TEST_LINK = /\]\(([^)#]+\.test\.ts)\)/g;

/** The items of the lists between two headings, each with its continuation lines. */
function itemsOf(markdown: string, from: string, to: string): string[] {
  const [, section = ''] = markdown.split(`\n${from}\n`);
  return (section.split(`\n${to}\n`)[0] ?? '')
    .split(/\n(?=- |#|\n)/)
    .map((block) => block.trim())
    .filter((block) => block.startsWith('- '));
}

/** The tests that a text links to, relative to the repository. */
function testsIn(text: string): string[] {
  return [...text.matchAll(TEST_LINK)].map(([, link = '']) => join(dirname(PATH), link));
}

describe('the security guide', () => {
  const guide = readFileSync(join(repositoryRoot, PATH), 'utf8');
  const promises = itemsOf(guide, '## What is defended, and against whom', '## What is not defended');

  test('names a test for each promise', () => {
    assert.ok(promises.length > 20);
    assert.deepEqual(
      promises.filter((promise) => testsIn(promise).length === 0),
      [],
    );
  });

  test('names only tests that are run', () => {
    const run = new Set(
      Object.values(PARTS).flatMap(({ runs }) => runs.flatMap((it) => (it.nodes ? [] : filesOf(it, { paths: [] })))),
    );
    assert.deepEqual(
      testsIn(guide).filter((path) => !run.has(path)),
      [],
    );
  });

  test('is checked item by item', () => {
    const sample = '# A\n## One\n- a\n  ([b](c.test.ts))\n- d\n\n- e [f](../../g/h.test.ts)\ntext\n## Two\n- i\n';
    const items = itemsOf(sample, '## One', '## Two');
    assert.deepEqual(items.map(testsIn), [['docs/guides/c.test.ts'], [], ['g/h.test.ts']]);
  });
});
