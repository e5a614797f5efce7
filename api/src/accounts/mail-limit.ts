// Limits the mails that others can have sent to one mailbox.

import { createAttemptLimit } from '../attempts/index.ts';
import type { Database } from '../db/index.ts';

export interface MailLimit {
  /**
   * Counts a mail to an address, whether a user has it or not.
   * @param email normalised
   * @throws too_many_attempts
   */
  count(email: string): Promise<void>;
  /** Takes back a mail that was not sent. */
  uncount(email: string): Promise<void>;
}

/** Mails of one kind to one mailbox within an hour, across replicas. */
const MAILS = { max: 5, windowMs: 3_600_000 };

export function createMailLimit(database: Database, kind: 'reset-mail' | 'invitation-mail'): MailLimit {
  const limit = createAttemptLimit({ database, name: kind, what: 'mails to this address', ...MAILS });
  return {
    count: (email) => limit.count(mailboxOf(email)),
    uncount: (email) => limit.uncount(mailboxOf(email)),
  };
}

/** An address without its tag: mail to `uma+shop@example.org` arrives at `uma@example.org`. */
function mailboxOf(email: string): string {
  return email.replace(/\+[^@]*(?=@)/, '');
}
