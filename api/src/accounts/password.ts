// Password hashing, verification and generation. Slow: never call these inside a transaction.

import { randomBytes } from 'node:crypto';
import { SignInBusyError } from './errors.ts';

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

/**
 * Hashes at the same time. Each takes a thread of the pool of four in which files are read, too, and which two cores
 * can keep busy.
 */
const MAX_RUNNING = 2;
/** Beyond them, a password would wait for longer than two seconds. */
const MAX_WAITING = 50;

export interface HashingBounds {
  /** Default 2. */
  maxRunning?: number;
  /** Default 50. */
  maxWaiting?: number;
}

/**
 * Bounds hashing: few at once, and the others wait in the order of their arrival. Limits of attempts are per address
 * and per account, so many addresses could otherwise keep every thread busy.
 * @throws sign_in_busy if too many wait
 */
export function boundHashing(
  passwords: PasswordHashing,
  { maxRunning = MAX_RUNNING, maxWaiting = MAX_WAITING }: HashingBounds = {},
): PasswordHashing {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < maxRunning) running++;
    else if (waiting.length >= maxWaiting)
      throw new SignInBusyError('Too many passwords are being checked at this moment: try again in a few seconds.');
    // Whoever ends passes its turn on, so `running` stays the same.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }

  return {
    hash: (password) => inTurn(() => passwords.hash(password)),
    verify: (password, hash) => inTurn(() => passwords.verify(password, hash)),
  };
}

/** Generates a random password, to be shown once. */
export function generatePassword(): string {
  return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
}
