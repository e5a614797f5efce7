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

  test('takes a new key as soon as the keys may be asked for again', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysRestMs: 0 });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
    await directory.rotate({ keep: true });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
  });

  test('refuses a key that was withdrawn, even under a token that was taken before', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysLiveMs: 1, keysRestMs: 0 });
    const token = await directory.sign(UMA);
    assert.equal((await check(token))?.id, 'uma');
    await directory.rotate();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await assert.rejects(check(token), { code: 'session_invalid' });
  });

  test('does not take a remembered token for longer than it holds', async (t) => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysLiveMs: 24 * 3_600_000 });
    const token = await directory.sign(UMA, { expiresIn: 3600 });
    assert.equal((await check(token))?.id, 'uma');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    assert.equal(await check(token), undefined);
  });

  test('wants a token that ends, and one that says what it should', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url });
    await assert.rejects(check(await directory.sign(UMA, { expiresIn: null })), { code: 'session_invalid' });
    await assert.rejects(check(await directory.sign(UMA, { claims: { organizations: 'all' } })), {
      code: 'session_invalid',
    });
  });
});
