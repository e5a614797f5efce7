// Cheap password hashes for tests that are not about hashing: a real hash takes 50 ms of CPU time.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PasswordHashing } from '../../src/accounts/index.ts';

/** Salted HMAC-SHA-256: `<salt>:<hash>`, both hexadecimal. */
export const FAST_PASSWORDS: PasswordHashing = {
  hash(password) {
    const salt = randomBytes(8).toString('hex');
    return Promise.resolve(`${salt}:${digest(salt, password)}`);
  },
  verify(password, hash) {
    const [salt = '', expected = ''] = hash.split(':');
    return Promise.resolve(
      timingSafeEqual(Buffer.from(digest(salt, password)), Buffer.from(expected.padEnd(64).slice(0, 64))),
    );
  },
};

function digest(salt: string, password: string): string {
  return createHmac('sha256', salt).update(password).digest('hex');
}
