// How often somebody may fail, counted for all replicas together.

import { createHash } from 'node:crypto';
import type { Database } from '../db/index.ts';
import { TooManyAttemptsError } from './errors.ts';
import { attemptRepository, type Failures } from './repository.ts';

export interface AttemptLimit {
  /** Refuses whoever has failed too often. @throws too_many_attempts */
  assertFree(subject: string): Promise<void>;
  /** Counts a failure. @throws too_many_attempts when it is one too many */
  count(subject: string): Promise<void>;
  /** Forgets the failures of somebody who succeeded. */
  forget(subject: string): Promise<void>;
}

export interface AttemptLimitOptions {
  database: Pick<Database, 'db' | 'dialect'>;
  /** What is attempted, such as `api-key`. */
  name: string;
  /** Failures of one subject within the window. */
  max: number;
  windowMs: number;
}

/** Subjects beyond the limit that this process remembers, so that their further failures cost no write. */
const MAX_REMEMBERED = 10_000;

export function createAttemptLimit({ database, name, max, windowMs }: AttemptLimitOptions): AttemptLimit {
  const rows = attemptRepository(database);
  const beyond = new Map<string, Failures>();
  // Of any length, and not for everybody to read.
  const keyOf = (subject: string) => `${name}:${createHash('sha256').update(subject).digest('base64url')}`;
  const remembered = (key: string): Failures | undefined => {
    const failures = beyond.get(key);
    if (failures && Date.parse(failures.until) > Date.now()) return failures;
    beyond.delete(key);
    return undefined;
  };
  return {
    async assertFree(subject) {
      const key = keyOf(subject);
      const failures = remembered(key) ?? (await rows.find(key));
      if (failures && failures.count >= max) throw tooMany(failures);
    },
    async count(subject) {
      const key = keyOf(subject);
      const failures = remembered(key) ?? (await rows.add(key, windowMs));
      if (failures.count <= max) return;
      if (beyond.size >= MAX_REMEMBERED) beyond.clear();
      beyond.set(key, failures);
      throw tooMany(failures);
    },
    async forget(subject) {
      const key = keyOf(subject);
      beyond.delete(key);
      await rows.remove(key);
    },
  };
}

function tooMany({ until }: Failures): Error {
  const seconds = Math.max(1, Math.ceil((Date.parse(until) - Date.now()) / 1000));
  return new TooManyAttemptsError(`Too many attempts have failed: try again in ${seconds} seconds.`, {
    headers: { 'retry-after': `${seconds}` },
  });
}
