// Mails password reset links. The response to a request does not depend on whether the user exists, nor on how long
// the database and the mail server take.

import { Value } from 'typebox/value';
import { ANONYMOUS } from '../../access/index.ts';
import { createAttemptLimit, networkOf } from '../../attempts/index.ts';
import type { Database } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import type { Mailer } from '../../mail/index.ts';
import { EmailInvalidError } from '../errors.ts';
import { createMailLimit } from '../mail-limit.ts';
import { passwordLink } from '../operations.ts';
import { EmailSchema } from '../schemas.ts';
import { findUserByEmail } from '../users/repository.ts';
import type { AuthRequest } from './fetch-request.ts';
import type { StrangerEvents } from './stranger-events.ts';

export type ResetRequest = Pick<AuthRequest, 'ip' | 'requestId' | 'later'> & { log: Pick<AuthRequest['log'], 'warn'> };

export interface PasswordResets {
  /**
   * Admits a request for a link, known or unknown the address. What depends on the user follows after the response was
   * sent (`later`): the mail, and the event in the audit log.
   * @param email normalised
   * @throws email_invalid, too_many_attempts
   */
  request(email: string, request: ResetRequest): Promise<void>;
  /** Waits for mails that are under way. */
  close(): Promise<void>;
}

export interface PasswordResetOptions {
  database: Database;
  publicUrl: string;
  mailer: Mailer;
  strangers: StrangerEvents;
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
  strangers,
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

  async function mailLink(email: string, { ip, requestId, log }: ResetRequest): Promise<void> {
    const user = await findUserByEmail(database.db, email);
    const actor = { caller: ANONYMOUS, ip, requestId };
    const event = { action: 'user.request-password-reset', targetType: 'user', targetId: email } as const;
    if (user || (await strangers.isRecorded(email, log))) await recordChange(database.db, actor, event);
    if (!user) return;
    const token = await createToken(user.id);
    await mailer.send({ to: [email], subject: 'Reset your password', text: resetText(publicUrl, token) });
  }

  return {
    async request(email, request) {
      if (!Value.Check(EmailSchema, email))
        throw new EmailInvalidError('This is not an e-mail address: enter one such as uma@example.org.');
      await requests.count(networkOf(request.ip));
      await mails.count(email);
      request.later(() => {
        const work = mailLink(email, request)
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
