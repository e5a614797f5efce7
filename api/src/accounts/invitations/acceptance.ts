// Accepts invitations. Only one that was mailed proves the address: the link of another was shown to who created it.

import { createHash } from 'node:crypto';
import { changeAs, policy, UnauthenticatedError, type Actor, type CurrentActor } from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { InvitationFieldsError, InvitationForAnotherError, InvitationNotFoundError } from '../errors.ts';
import { normalizeEmail } from '../operations.ts';
import { addDepartment, saveMember } from '../organizations/member-repository.ts';
import type { PasswordHashing } from '../password.ts';
import { deleteSessionsOf, findUserByEmail, insertUser, updateUser } from '../users/repository.ts';
import { deleteInvitation, findInvitation, type InvitationRow } from './repository.ts';
import type { Acceptance } from './schemas.ts';

/**
 * Adds a member: the user with the invited address, who must be signed in and whose other sessions end if this proves
 * the address, or a new user.
 * @throws invitation_not_found, unauthenticated, invitation_for_another, invitation_fields_invalid
 */
export type Accept = (actor: Actor, acceptance: Acceptance) => Promise<{ email: string }>;

export function createAcceptance({ database, passwords }: { database: Database; passwords: PasswordHashing }): Accept {
  return async (actor, { token, name, password }) => {
    const row = await findInvitation(database.db, idOf(token), new Date());
    if (!row) throw notFound();
    if (await findUserByEmail(database.db, row.email)) {
      await changeAs(database, actor, policy.acceptInvitation, (tx, current) => joinAsUser(tx, current, row));
      return { email: row.email };
    }
    if (name === undefined || password === undefined)
      throw new InvitationFieldsError(
        'No user with this address exists yet: give a name and a password to create one.',
        {
          errors: (['name', 'password'] as const)
            .filter((field) => ({ name, password })[field] === undefined)
            .map((field) => ({ path: `/${field}`, message: 'must be given' })),
        },
      );
    const passwordHash = await passwords.hash(password);
    await changeAs(database, actor, policy.acceptInvitation, (tx, current) =>
      joinAsNewUser(tx, current, row, { name: name.trim(), passwordHash }),
    );
    return { email: row.email };
  };
}

/** Returns the ID of the invitation with a token. */
export function idOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

export function notFound(): Error {
  return new InvitationNotFoundError(
    'This invitation does not exist, has expired, was cancelled, or was already accepted: ask for a new one.',
  );
}

async function join(tx: Tx, actor: CurrentActor, row: InvitationRow, userId: string): Promise<void> {
  if (!(await deleteInvitation(tx, row.id))) throw notFound();
  await saveMember(tx, { organizationId: row.organizationId, userId, role: row.role ?? 'member' });
  if (row.department !== null) await addDepartment(tx, row.organizationId, userId, row.department);
  await recordChange(tx, actor, {
    action: 'organization.accept-invitation',
    targetType: 'organization',
    targetId: row.organizationId,
    details: { userId, role: row.role, email: row.email },
  });
}

async function joinAsUser(tx: Tx, actor: CurrentActor, row: InvitationRow): Promise<void> {
  const { caller } = actor;
  if (caller.kind !== 'user') throw mustSignIn(row);
  if (normalizeEmail(caller.user.email) !== row.email)
    throw new InvitationForAnotherError(`This invitation is for ${row.email}: sign in as that user to accept.`);
  await join(tx, actor, row, caller.user.id);
  if (!row.mailed || (await findUserByEmail(tx, row.email))?.emailVerified) return;
  await updateUser(tx, caller.user.id, { emailVerified: true });
  await deleteSessionsOf(tx, caller.user.id, caller.sessionId);
  await recordChange(tx, actor, {
    action: 'user.prove-address',
    targetType: 'user',
    targetId: caller.user.id,
    details: { email: row.email, by: 'invitation' },
  });
}

async function joinAsNewUser(
  tx: Tx,
  actor: CurrentActor,
  row: InvitationRow,
  user: { name: string; passwordHash: string },
): Promise<void> {
  const isProved = Boolean(row.mailed);
  const created = await insertUser(tx, { ...user, email: row.email, isAdmin: false, isProved });
  // Created concurrently.
  if (!created) throw mustSignIn(row);
  await recordChange(tx, actor, {
    action: 'user.create',
    targetType: 'user',
    targetId: created.id,
    details: { email: created.email, isAdmin: false, by: 'invitation', mailed: isProved },
  });
  await join(tx, actor, row, created.id);
}

function mustSignIn({ email }: InvitationRow): Error {
  return new UnauthenticatedError(`A user with the address ${email} exists: sign in as that user to accept.`);
}
