// Converts the identity service's session payload to a user and the accounts that they may act for.

import type { Account, UserCaller } from '../../access/index.ts';
import type { AccountChoice } from '../sessions/operations.ts';
import type { DirectoryCookies } from './cookies.ts';
import type { DirectoryPayload } from './token.ts';

const ADMIN_ROLE = 'admin';

export type DirectoryUser = Pick<UserCaller, 'user' | 'isAdmin' | 'account' | 'accountRole'> & { isReadOnly: boolean };

type Membership = DirectoryPayload['organizations'][number];

/** Returns the user and the membership that the cookies choose; the user acts alone if there is no such membership. */
export function toDirectoryUser(
  payload: DirectoryPayload,
  cookies: Omit<DirectoryCookies, 'token' | 'language'>,
): DirectoryUser {
  const { id, name = id, email = '' } = payload;
  const membership = payload.organizations.find((it) => isChosen(it, cookies));
  return {
    user: { id, name, email },
    // A superadmin of the identity service is one here only while their admin mode is on.
    isAdmin: Boolean(payload.isAdmin) && Boolean(payload.adminMode),
    isReadOnly: Boolean(payload.pseudoSession) || Boolean(payload.asAdmin),
    ...(membership
      ? { account: accountOf(membership), accountRole: roleOf(membership) }
      : { account: { type: 'user', id, name }, accountRole: 'admin' }),
  };
}

/** Lists the accounts that the user may act for, their own first. */
export function listDirectoryChoices({ id, name = id, organizations }: DirectoryPayload): AccountChoice[] {
  return [
    { type: 'user', id, name, role: 'admin' },
    ...organizations.map((it) => ({
      ...accountOf(it),
      ...(it.departmentName && { departmentName: it.departmentName }),
      role: roleOf(it),
    })),
  ];
}

/** Returns the membership for an account, preferring one with the admin role. */
export function membershipFor(
  { organizations }: DirectoryPayload,
  { id, department }: Account,
): Membership | undefined {
  const matching = organizations.filter((it) => it.id === id && (it.department || undefined) === department);
  return matching.find((it) => roleOf(it) === 'admin') ?? matching[0];
}

function isChosen(
  membership: Membership,
  { organization, department, role }: Omit<DirectoryCookies, 'token' | 'language'>,
): boolean {
  return (
    membership.id === organization &&
    (membership.department || undefined) === department &&
    (role === undefined || membership.role === role)
  );
}

function accountOf({ id, name, department }: Membership): Account {
  return { type: 'organization', id, ...(name && { name }), ...(department && { department }) };
}

function roleOf({ role }: Membership): 'admin' | 'member' {
  return role === ADMIN_ROLE ? 'admin' : 'member';
}
