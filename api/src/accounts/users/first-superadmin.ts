// Creates the first superadmin when the server starts without any user.

import { Value } from 'typebox/value';
import { SYSTEM_ACTOR } from '../../access/index.ts';
import type { Database } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { EmailInvalidError } from '../errors.ts';
import { normalizeEmail } from '../operations.ts';
import { generatePassword, type PasswordHashing } from '../password.ts';
import { EmailSchema } from '../schemas.ts';
import { insertUser, listUsers, lockUsersAndCheckEmpty } from './repository.ts';

/** `password` is set only if it was generated; show it once. */
export interface FirstSuperadmin {
  email: string;
  password?: string;
}

const NAME = 'Administrator';

/**
 * Creates the first superadmin; undefined if any user exists. Safe to call from several replicas at once.
 * @throws email_invalid
 */
export async function createFirstSuperadmin(
  { database, passwords }: { database: Database; passwords: PasswordHashing },
  { email, password }: { email: string; password?: string | undefined },
): Promise<FirstSuperadmin | undefined> {
  if ((await listUsers(database.db, { size: 0 })).count > 0) return undefined;
  if (!Value.Check(EmailSchema, normalizeEmail(email)))
    throw new EmailInvalidError(
      `The first superadmin cannot sign in with ${email}: use an e-mail address such as admin@example.org.`,
    );
  const generated = password === undefined ? generatePassword() : undefined;
  const passwordHash = await passwords.hash(password ?? generated ?? '');
  return database.transaction(async (tx) => {
    if (!(await lockUsersAndCheckEmpty(tx, database.dialect))) return undefined;
    const row = await insertUser(tx, {
      email: normalizeEmail(email),
      name: NAME,
      isAdmin: true,
      isProved: true,
      passwordHash,
    });
    if (!row) return undefined;
    await recordChange(tx, SYSTEM_ACTOR, {
      action: 'user.create',
      targetType: 'user',
      targetId: row.id,
      details: { email: row.email, isAdmin: true, first: true },
    });
    return { email: row.email, ...(generated !== undefined && { password: generated }) };
  });
}
