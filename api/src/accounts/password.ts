// Passwords: how they are hashed and checked, and made up. Never inside a transaction.

import { randomBytes } from 'node:crypto';

/** 96 bits, 16 characters. */
const GENERATED_PASSWORD_BYTES = 12;

export interface PasswordHashing {
  hash(password: string): Promise<string>;
  /** Whether the password is the one that the hash was made from. */
  verify(password: string, hash: string): Promise<boolean>;
}

/** better-auth's scrypt (N 16384, r 16, p 1) in the thread pool, about 50 ms each; loaded when first needed. */
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

/** Makes a password for somebody to be told once. */
export function generatePassword(): string {
  return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
}
