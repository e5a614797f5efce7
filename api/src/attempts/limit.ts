// Limits failed attempts per subject. The counters are in the database and shared by all replicas.

import { createHash } from 'node:crypto';
import type { Database } from '../db/index.ts';
import { TooManyAttemptsError } from './errors.ts';
import { attemptRepository, type Failures } from './repository.ts';

export interface AttemptLimit {
  /** Refuses a subject that has reached the limit. @throws too_many_attempts */
  assertAllowed(subject: string): Promise<void>;
  /** Counts a failure. @throws too_many_attempts when it exceeds the limit */
  countFailure(subject: string): Promise<void>;
  /** Deletes the counter of a subject, such as after a success. */
  reset(subject: string): Promise<void>;
}

export interface AttemptLimitOptions {
  database: Pick<Database, 'db' | 'dialect'>;
  /** Kind of attempt, such as `api-key`; prefixes the stored subjects. */
  name: string;
  /** Failures allowed for one subject within the window. */
  max: number;
  windowMs: number;
}

/** Blocked subjects cached by this process, so that their further failures cost no write. */
const MAX_CACHED_SUBJECTS = 10_000;

export function createAttemptLimit({ database, name, max, windowMs }: AttemptLimitOptions): AttemptLimit {
  const rows = attemptRepository(database);
  const blocked = new Map<string, Failures>();
  // Hashed: a subject has any length and may be personal data.
  const keyOf = (subject: string) => `${name}:${createHash('sha256').update(subject).digest('base64url')}`;
  const findCached = (key: string): Failures | undefined => {
    const failures = blocked.get(key);
    if (failures && Date.parse(failures.until) > Date.now()) return failures;
    blocked.delete(key);
    return undefined;
  };
  return {
    async assertAllowed(subject) {
      const key = keyOf(subject);
      const failures = findCached(key) ?? (await rows.find(key));
      if (failures && failures.count >= max) throw tooMany(failures);
    },
    async countFailure(subject) {
      const key = keyOf(subject);
      const failures = findCached(key) ?? (await rows.add(key, windowMs));
      if (failures.count <= max) return;
      if (blocked.size >= MAX_CACHED_SUBJECTS) blocked.clear();
      blocked.set(key, failures);
      throw tooMany(failures);
    },
    async reset(subject) {
      const key = keyOf(subject);
      blocked.delete(key);
      await rows.remove(key);
    },
  };
}

function tooMany({ until }: Failures): Error {
  const seconds = Math.max(1, Math.ceil((Date.parse(until) - Date.now()) / 1000));
  return new TooManyAttemptsError(`Too many failed attempts: try again in ${seconds} seconds.`, {
    headers: { 'retry-after': `${seconds}` },
  });
}
