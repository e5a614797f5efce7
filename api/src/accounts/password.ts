// Password hashing, verification and generation. Slow: never call these inside a transaction.

import { randomBytes } from 'node:crypto';

/** 96 bits, 16 characters. */
const GENERATED_PASSWORD_BYTES = 12;

export interface PasswordHashing {
  hash(password: string): Promise<string>;
  /** Tells whether the hash was made from this password. */
  verify(password: string, hash: string): Promise<boolean>;
}

/** better-auth's scrypt (N 16384, r 16, p 1): about 50 ms in the thread pool. Loaded on first use. */
export const SCRYPT: PasswordHashing = {
  async hash(password) {
    const crypto = await import('better-auth/crypto');
    return crypto.hashPassword(password);
  },
  async verify(password, hash) {
    const crypto = await import('better-auth/crypto');
    return crypto.verifyPassword({ password, hash });
  },
};

/** Generates a random password, to be shown once. */
export function generatePassword(): string {
  return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
}
