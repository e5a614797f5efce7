// Checks the architecture rules themselves, on a sample tree.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { RULES } from './support/architecture/rules.ts';
import { SAMPLE_DEPENDENCIES, SAMPLE_TREE, type Tree } from './support/architecture/sample-tree.ts';
import { readSourceFiles, type SourceFile } from './support/architecture/source-files.ts';
import { VIOLATIONS } from './support/architecture/violations.ts';

type RuleName = keyof typeof RULES;
const ruleNames = Object.keys(RULES) as RuleName[];

test('the sample tree keeps every rule', () => {
  const files = readTree(SAMPLE_TREE);
  for (const rule of ruleNames) assert.deepEqual(check(rule, files), [], rule);
});

test('every rule has a violation here', () => {
  assert.deepEqual(
    ruleNames.filter((name) => !VIOLATIONS.some(([rule]) => rule === name)),
    [],
  );
});

for (const [rule, files, reported] of VIOLATIONS) {
  test(`“${rule}” reports ${Object.keys(files).join(' and ')}`, () => {
    assert.deepEqual(check(rule, readTree({ ...SAMPLE_TREE, ...files })), reported.toSorted());
  });
}

function check(rule: RuleName, files: SourceFile[]): string[] {
  return RULES[rule](files, SAMPLE_DEPENDENCIES).toSorted();
}

function readTree(tree: Tree): SourceFile[] {
  const root = mkdtempSync(join(tmpdir(), 'berth-architecture-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return readSourceFiles(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}
