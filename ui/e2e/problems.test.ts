import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PERSON_REFUSALS } from '../../api/test/support/openid-provider.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { callbackErrorText } from '../src/features/sign-in/callback-error.ts';
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

test('every refusal of a person from the OpenID provider has a text of its own', () => {
  const texts = [...PERSON_REFUSALS, 'access_denied', 'state_mismatch', 'invalid_code'].map(callbackErrorText);
  assert.equal(new Set(texts).size, texts.length);
});

test('other error codes of the callback share a text, whatever their spelling', () => {
  for (const code of ['server_error', 'unable_to_get_user_info', 'constructor', '__proto__', ''])
    assert.equal(callbackErrorText(code), 'signing.providerFailed');
});
