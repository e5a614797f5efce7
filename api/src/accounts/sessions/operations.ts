// Which accounts a user may act for: always their own; an organisation as a whole if they administer it or belong to
// none of its departments; a department if they belong to it or administer the organisation.

import type { Account } from '../../access/index.ts';
import { administersOrganization } from '../operations.ts';

export type AccountRole = 'admin' | 'member';

/** An account that a user may choose to act for. */
export interface AccountChoice extends Account {
  departmentName?: string;
  role: AccountRole;
}

export interface Membership {
  organization: { id: string; name: string };
  /** As better-auth stores it. */
  role: string;
  /** All departments of the organisation; `isMember` tells whether the user is in them. */
  departments: { id: string; name: string; isMember: boolean }[];
}

/** Lists the accounts that a user may act for, their own first. */
export function listChoices(user: { id: string; name: string }, memberships: Membership[]): AccountChoice[] {
  return [{ type: 'user', id: user.id, name: user.name, role: 'admin' }, ...memberships.flatMap(choicesIn)];
}

function choicesIn({ organization, role, departments }: Membership): AccountChoice[] {
  const whole = { type: 'organization' as const, ...organization, role: accountRoleOf(role) };
  const isInAnyDepartment = departments.some(({ isMember }) => isMember);
  const allowed = departments.filter((department) => mayActForDepartment(role, department.isMember));
  return [
    ...(mayActForOrganization(role, isInAnyDepartment) ? [whole] : []),
    ...allowed.map(({ id, name }) => ({ ...whole, department: id, departmentName: name })),
  ];
}

export function mayActForOrganization(role: string, isInAnyDepartment: boolean): boolean {
  return administersOrganization(role) || !isInAnyDepartment;
}

export function mayActForDepartment(role: string, isMember: boolean): boolean {
  return administersOrganization(role) || isMember;
}

export function accountRoleOf(role: string): AccountRole {
  return administersOrganization(role) ? 'admin' : 'member';
}
