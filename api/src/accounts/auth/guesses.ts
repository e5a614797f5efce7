// Limits guesses of passwords and codes per account, from any address and across replicas, and lets each code of an
// authenticator app serve once.

import { createAttemptLimit, createSingleUse, type AttemptLimit } from '../../attempts/index.ts';
import type { Database } from '../../db/index.ts';
import { CodeUsedError } from '../errors.ts';

export interface Guesses {
  /**
   * Makes a sign-in with a password. Unknown addresses count, too: the response must not reveal whether a user exists.
   * @param email normalised
   * @throws too_many_attempts
   */
  ofAddress(email: string, call: () => Promise<Response>): Promise<Response>;
  /**
   * Makes a call in which a session, or a sign-in that awaits its second factor, gives a password or code of its user.
   * Counted apart from sign-ins: strangers, who can use up those, must not keep users from their own settings.
   * @throws too_many_attempts
   */
  ofUser(userId: string, call: () => Promise<Response>): Promise<Response>;
  /** Like `ofUser`, with a code of the authenticator app, which serves once (RFC 6238, section 5.2). */
  ofCode(userId: string, code: string, call: () => Promise<Response>): Promise<Response>;
  /** Lifts the block on sign-ins to an address. */
  resetAddress(email: string): Promise<void>;
}

/** Failures per account until it is blocked, for 15 minutes or until an administrator sets a new password. */
const FAILURES = { max: 20, windowMs: 15 * 60_000 };
/** Longer than a code is accepted: better-auth takes those of three time steps of 30 s. */
const CODE_LIFETIME_MS = 3 * 60_000;
const CODE_USED = 'This code has been used already: wait for the next one of your authenticator app.';
const TOO_MANY_REQUESTS = 429;

export function createGuesses({ database }: { database: Database }): Guesses {
  const byAddress = createAttemptLimit({ database, name: 'sign-in', ...FAILURES });
  const byUser = createAttemptLimit({ database, name: 'account-check', ...FAILURES });
  const codes = createSingleUse({ database, name: 'totp-code', forMs: CODE_LIFETIME_MS });
  return {
    ofAddress: (email, call) => limited(byAddress, email, call),
    ofUser: (userId, call) => limited(byUser, userId, call),
    ofCode: (userId, code, call) =>
      limited(byUser, userId, async () => {
        // Before the call: of two concurrent ones with the same code, only one may succeed.
        if (!(await codes.claim(`${userId} ${code}`))) return refusalOf(CodeUsedError, CODE_USED);
        const response = await call();
        if (!response.ok) await codes.release(`${userId} ${code}`);
        return response;
      }),
    resetAddress: (email) => byAddress.reset(email),
  };
}

/** Tells whether the password was right and the second factor is still required. */
export function awaitsSecondFactor(response: Response): boolean {
  return response.ok && response.headers.getSetCookie().some((cookie) => cookie.includes('two_factor='));
}

/** Counts a call as a failure unless it succeeds, or nothing was checked. */
async function limited(limit: AttemptLimit, subject: string, call: () => Promise<Response>): Promise<Response> {
  await limit.count(subject);
  const response = await call().catch(async (error: unknown) => {
    await limit.uncount(subject).catch(() => undefined);
    throw error;
  });
  if (response.ok && !awaitsSecondFactor(response)) await limit.reset(subject);
  else if (response.ok || response.status === TOO_MANY_REQUESTS || response.status >= 500)
    await limit.uncount(subject);
  return response;
}

/** An error in the form of better-auth's, so that it is audited and answered like theirs. */
function refusalOf({ code, status, title }: typeof CodeUsedError, message: string): Response {
  return Response.json({ code, title, message }, { status });
}
