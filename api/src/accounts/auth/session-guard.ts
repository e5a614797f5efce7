// A password may be replaced or removed while a call that relies on it is under way. Its session must not outlive it.

import type { UserCaller } from '../../access/index.ts';
import type { Database } from '../../db/index.ts';
import { SessionInvalidError } from '../errors.ts';
import { deleteSession } from '../sessions/repository.ts';
import { findPasswordHash } from '../users/credential-repository.ts';
import type { AuthCallFacts } from './call-context.ts';

/**
 * Ends the session that a call has just started unless the user still has the password that the call relied on. Called
 * after the session was stored: whoever removes the password later also ends the session.
 * @param isPasswordChange whether the call itself replaced the password
 * @throws session_invalid
 */
export async function assertPasswordStands(
  { db }: Database,
  { user, sessionId }: UserCaller,
  { profile, matchedHash }: AuthCallFacts,
  isPasswordChange: boolean,
): Promise<void> {
  if (profile) return;
  const hash = await findPasswordHash(db, user.id);
  if (hash !== undefined && (isPasswordChange || matchedHash === undefined || matchedHash === hash)) return;
  await deleteSession(db, user.id, sessionId);
  throw new SessionInvalidError('Your password was changed meanwhile: sign in again.');
}
