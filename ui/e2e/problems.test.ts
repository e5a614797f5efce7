import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { FRENCH_PROBLEMS } from '../src/i18n/problems.ts';

test('every code that the API answers with is said in French, and no other', () => {
  // Another test holds the page equal to the code.
  const codes = [
    ...readFileSync(join(repositoryRoot, 'docs/reference/errors.md'), 'utf8').matchAll(/^\| `(\w+)` \|/gm),
  ].map(([, code]) => code ?? '');
  assert.ok(codes.length > 100);
  assert.deepEqual(
    Object.keys(FRENCH_PROBLEMS)
      .filter((code) => !/^[A-Z_]+$/.test(code))
      .toSorted(),
    codes.toSorted(),
  );
});
