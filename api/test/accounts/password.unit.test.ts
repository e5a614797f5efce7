import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCRYPT } from '../../src/accounts/password.ts';
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
