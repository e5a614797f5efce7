// Passwords, hashed as better-auth verifies them (scrypt in the thread pool). Never inside a transaction.

import { randomBytes } from 'node:crypto';

/** 96 bits, 16 characters. */
const GENERATED_PASSWORD_BYTES = 12;

/** Hashes a password, in about 50 ms; better-auth's part is loaded when first needed. */
export async function hashPassword(password: string): Promise<string> {
  const crypto = await import('better-auth/crypto');
  return crypto.hashPassword(password);
}

/** Makes a password for somebody to be told once. */
export function generatePassword(): string { return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url'); }
