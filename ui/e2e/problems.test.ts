import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PERSON_REFUSALS } from '../../api/test/support/openid-provider.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { callbackErrorText } from '../src/features/sign-in/callback-error.ts';
import { signing } from '../src/i18n/messages/signing.ts';
import { FRENCH_PROBLEMS } from '../src/i18n/problems.ts';

const STATE = 'node_modules/better-auth/dist/state.mjs';
/** RFC 6749, section 4.1.2.1, and OpenID Connect Core 1.0, section 3.1.2.6. */
const OF_PROVIDERS = [
  'invalid_request',
  'unauthorized_client',
  'access_denied',
  'unsupported_response_type',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'account_selection_required',
  'consent_required',
  'invalid_request_uri',
  'invalid_request_object',
  'request_not_supported',
  'request_uri_not_supported',
  'registration_not_supported',
];

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

test('every error code with which a browser can come back has a text in both languages, never the code', () => {
  const sources = [...globSync('node_modules/better-auth/dist/oauth2/*.mjs', { cwd: repositoryRoot }), STATE];
  const ofLibrary = sources.flatMap((path) =>
    [
      ...readFileSync(join(repositoryRoot, path), 'utf8').matchAll(
        /^\s*[A-Z_]+: "([a-z_]+)"|\b(?:error|code): "([a-z _]+)"|URL, "([a-z_]+)"/gm,
      ),
    ].map(([, constant, field, argument]) => (constant ?? field ?? argument ?? '').replaceAll(' ', '_')),
  );
  assert.ok(ofLibrary.length > 20, ofLibrary.join());
  for (const code of ['invalid_code', 'issuer_mismatch', 'state_mismatch', 'signup_disabled', 'internal_server_error'])
    assert.ok(ofLibrary.includes(code), code);
  for (const code of [...ofLibrary, ...OF_PROVIDERS, ...PERSON_REFUSALS, 'banned', 'anything <b>else</b>', '']) {
    const [, key = ''] = callbackErrorText(code).split('.');
    const texts = (signing as Record<string, readonly string[]>)[key] ?? [];
    assert.equal(texts.length, 2, code);
    for (const text of texts)
      assert.ok(/[.!]$/.test(text) && (code === '' || !text.includes(code)), `${code}: ${text}`);
  }
});

test('other error codes of the callback share a text, whatever their spelling', () => {
  for (const code of ['server_error', 'unable_to_get_user_info', 'constructor', '__proto__', ''])
    assert.equal(callbackErrorText(code), 'signing.providerFailed');
});
