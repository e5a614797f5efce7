import type { Account } from '../access/index.ts';
import type { Database, Executor } from '../db/index.ts';

export interface ApiKeysOptions {
  database: Database;
  /** API_KEYS_SALT: keys are stored as HMAC-SHA-512 under it, so changing it invalidates every key. */
  salt: string;
  /** Valid values of `allowedCategory`. */
  categories: readonly string[];
  /** Tells whether an access grant covers an account. */
  accountHasGrant: (account: Account, executor: Executor) => Promise<boolean>;
  /** Called with errors of background work, such as a `lastUsedAt` that could not be written. */
  onError: (error: unknown) => void;
  /** Default: the system clock. */
  now?: () => Date;
}
