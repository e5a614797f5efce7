// Lets something serve once, such as a one-time code: the first claim wins, across all replicas.

import type { Database } from '../db/index.ts';
import { subjectKey } from './operations.ts';
import { attemptRepository } from './repository.ts';

export interface SingleUse {
  /** Claims a subject; false if it has been claimed within the last `forMs`. Of concurrent claims, one wins. */
  claim(subject: string): Promise<boolean>;
  /** Gives a claim back, so that the subject can be claimed again. */
  release(subject: string): Promise<void>;
}

export interface SingleUseOptions {
  database: Pick<Database, 'db' | 'dialect'>;
  /** Kind of subject, such as `totp-code`; prefixes the stored subjects, of which only hashes are stored. */
  name: string;
  /** How long a claim is remembered, in milliseconds: at least as long as the subject is valid. */
  forMs: number;
}

export function createSingleUse({ database, name, forMs }: SingleUseOptions): SingleUse {
  const rows = attemptRepository(database);
  return {
    claim: async (subject) => (await rows.add(subjectKey(name, subject), forMs)).count === 1,
    release: (subject) => rows.remove(subjectKey(name, subject)),
  };
}
