// Mails password reset links. The response to a request does not depend on whether the user exists, nor on how long
// the database and the mail server take.

import { Value } from 'typebox/value';
import { createAttemptLimit, networkOf } from '../../attempts/index.ts';
import type { Database } from '../../db/index.ts';
import type { Mailer } from '../../mail/index.ts';
import { EmailInvalidError } from '../errors.ts';
import { createMailLimit } from '../mail-limit.ts';
import { passwordLink } from '../operations.ts';
import { EmailSchema } from '../schemas.ts';
import { findUserByEmail } from '../users/repository.ts';

export interface PasswordResets {
  /**
   * Admits a request for a link, known or unknown the address, and mails it later.
   * @param email normalised
   * @param later runs its argument after the response was sent: its work must not delay the response
   * @throws email_invalid, too_many_attempts
   */
  request(email: string, ip: string, later: (work: () => void) => void): Promise<void>;
  /** Waits for mails that are under way. */
  close(): Promise<void>;
}

export interface PasswordResetOptions {
  database: Database;
  publicUrl: string;
  mailer: Mailer;
  /** Creates the token of a mailed link. */
  createToken: (userId: string) => Promise<string>;
  /** Requests per address of a client and minute. */
  requestsPerMinute: number;
  onError: (error: unknown) => void;
}

export function createPasswordResets({
  database,
  publicUrl,
  mailer,
  createToken,
  requestsPerMinute,
  onError,
}: PasswordResetOptions): PasswordResets {
  const requests = createAttemptLimit({
    database,
    name: 'reset-request',
    what: 'requests from this address',
    max: requestsPerMinute,
    windowMs: 60_000,
  });
  const mails = createMailLimit(database, 'reset-mail');
  const running = new Set<Promise<void>>();

  async function mailLink(email: string): Promise<void> {
    const user = await findUserByEmail(database.db, email);
    if (!user) return;
    const token = await createToken(user.id);
    await mailer.send({ to: [email], subject: 'Reset your password', text: resetText(publicUrl, token) });
  }

  return {
    async request(email, ip, later) {
      if (!Value.Check(EmailSchema, email))
        throw new EmailInvalidError('This is not an e-mail address: enter one such as uma@example.org.');
      await requests.count(networkOf(ip));
      await mails.count(email);
      later(() => {
        const work = mailLink(email)
          .catch(onError)
          .finally(() => running.delete(work));
        running.add(work);
      });
    },

    async close() {
      await Promise.all(running);
    },
  };
}

function resetText(publicUrl: string, token: string): string {
  return (
    `Someone, probably you, asked to reset your password for the registry at ${publicUrl}.\n\nTo set a new ` +
    `password, open this link within a day:\n${passwordLink(publicUrl, token)}\n\nIf it was not you, ignore this ` +
    `mail: your password stays unchanged.\n`
  );
}
