import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { FRENCH_PROBLEMS } from '../src/i18n/problems.ts';

test('every error code of the API has a French title, and no other code has one', () => {
  // Another test checks that this page lists exactly the codes of the API.
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
