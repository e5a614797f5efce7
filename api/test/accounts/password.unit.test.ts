import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { boundHashing, SCRYPT, type PasswordHashing } from '../../src/accounts/password.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';

for (const [name, hashing] of Object.entries({ SCRYPT, FAST_PASSWORDS })) {
  test(`${name} salts its hashes and verifies only the right password`, async () => {
    const [hash, another] = await Promise.all([hashing.hash('correct horse'), hashing.hash('correct horse')]);
    assert.notEqual(hash, another);
    assert.deepEqual(
      await Promise.all(['correct horse', 'correct horsf', ''].map((password) => hashing.verify(password, hash))),
      [true, false, false],
    );
  });
}

test('SCRYPT is compatible with better-auth', async () => {
  const { hashPassword, verifyPassword } = await import('better-auth/crypto');
  assert.equal(await verifyPassword({ password: 'correct horse', hash: await SCRYPT.hash('correct horse') }), true);
  assert.equal(await SCRYPT.verify('correct horse', await hashPassword('correct horse')), true);
});

/** Hashing that waits to be released, in order. */
function heldHashing() {
  const held: (() => void)[] = [];
  let most = 0;
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held.push(resolve);
    most = Math.max(most, held.length);
    return promise;
  };
  const hashing: PasswordHashing = {
    hash: async (password) => {
      await hold();
      return password;
    },
    verify: async (password) => {
      await hold();
      if (password === 'fails') throw new Error('no memory');
      return password === 'right';
    },
  };
  return { hashing, release: () => held.shift()?.(), running: () => held.length, most: () => most };
}

test('bounded hashing runs a few at once, in order, and refuses those that would wait too long', async () => {
  const { hashing, release, running, most } = heldHashing();
  const bounded = boundHashing(hashing, { maxRunning: 2, maxWaiting: 3 });
  const ended: string[] = [];
  const started = ['fails', 'right', 'wrong', 'right', 'x'].map((password, index) =>
    (index === 4 ? bounded.hash(password) : bounded.verify(password, 'hash')).then(
      (result) => ended.push(`${index} ${result}`),
      (error: Error) => ended.push(`${index} ${error.message}`),
    ),
  );
  for (const refused of [bounded.verify('right', 'hash'), bounded.hash('right')])
    await assert.rejects(refused, { code: 'sign_in_busy', status: 503, headers: { 'retry-after': '3' } });
  while (ended.length < started.length) {
    release();
    await nextTurn();
  }
  assert.deepEqual(ended, ['0 no memory', '1 true', '2 false', '3 true', '4 x']);
  assert.equal(most(), 2);
  assert.equal(running(), 0);
  const again = bounded.verify('right', 'hash');
  release();
  assert.equal(await again, true);
});
