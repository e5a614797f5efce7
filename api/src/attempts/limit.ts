// Limits attempts per subject. The counters are in the database and shared by all replicas.

import type { Database } from '../db/index.ts';
import { TooManyAttemptsError } from './errors.ts';
import { subjectKey } from './operations.ts';
import { attemptRepository, type Attempts } from './repository.ts';

export interface AttemptLimit {
  /**
   * Counts an attempt. Called before the attempt, so that concurrent ones count, too.
   * @throws too_many_attempts for a subject that has reached the limit; such attempts are not counted
   */
  count(subject: string): Promise<void>;
  /** Takes back one counted attempt, which was neither a failure nor a success. */
  uncount(subject: string): Promise<void>;
  /** Deletes the counter of a subject, such as after a success. */
  reset(subject: string): Promise<void>;
}

export interface AttemptLimitOptions {
  database: Pick<Database, 'db' | 'dialect'>;
  /** Kind of attempt, such as `api-key`; prefixes the stored subjects. */
  name: string;
  /** What is counted, for the message of the refusal. Default `failed attempts`. */
  what?: string;
  /** Attempts allowed for one subject within the window, which starts with the first one. */
  max: number;
  windowMs: number;
}

export function createAttemptLimit({
  database,
  name,
  what = 'failed attempts',
  max,
  windowMs,
}: AttemptLimitOptions): AttemptLimit {
  const rows = attemptRepository(database);
  const tooMany = ({ until }: Attempts): Error => {
    const seconds = Math.max(1, Math.ceil((Date.parse(until) - Date.now()) / 1000));
    return new TooManyAttemptsError(`Too many ${what}: try again in ${describeWait(seconds)}.`, {
      headers: { 'retry-after': `${seconds}` },
    });
  };
  return {
    async count(subject) {
      const key = subjectKey(name, subject);
      // Reads first, so that the attempts of a blocked subject cost no write.
      const earlier = await rows.find(key);
      if (earlier && earlier.count >= max) throw tooMany(earlier);
      const attempts = await rows.add(key, windowMs);
      if (attempts.count <= max) return;
      // A concurrent attempt took the last place.
      await rows.subtract(key);
      throw tooMany(attempts);
    },
    uncount: (subject) => rows.subtract(subjectKey(name, subject)),
    reset: (subject) => rows.remove(subjectKey(name, subject)),
  };
}

/** Seconds, or minutes from three on. */
function describeWait(seconds: number): string {
  if (seconds < 180) return seconds === 1 ? 'a second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
