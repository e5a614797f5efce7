import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTokenCheck } from '../../src/accounts/directory/token.ts';
import { startTestDirectory, type TestDirectory } from '../support/directory.ts';

const UMA = { id: 'uma', name: 'Uma' };

describe('the check of a token', () => {
  let directory: TestDirectory;
  before(async () => {
    directory = await startTestDirectory();
  });
  after(() => directory.stop());

  test('accepts a new key as soon as the cool-down has passed', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysCooldownMs: 0 });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
    await directory.rotate({ keep: true });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
  });

  test('refuses a withdrawn key, even for a token that was accepted before', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysMaxAgeMs: 1, keysCooldownMs: 0 });
    const token = await directory.sign(UMA);
    assert.equal((await check(token))?.id, 'uma');
    await directory.rotate();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await assert.rejects(check(token), { code: 'session_invalid' });
  });

  test('does not accept a cached token after its expiry', async (t) => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysMaxAgeMs: 24 * 3_600_000 });
    const token = await directory.sign(UMA, { expiresIn: 3600 });
    assert.equal((await check(token))?.id, 'uma');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    assert.equal(await check(token), undefined);
  });

  test('requires an expiry and a valid payload', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url });
    await assert.rejects(check(await directory.sign(UMA, { expiresIn: null })), { code: 'session_invalid' });
    await assert.rejects(check(await directory.sign(UMA, { claims: { organizations: 'all' } })), {
      code: 'session_invalid',
    });
  });
});
