// Who may act for what: alone always; an organisation as a whole for its admins and for members who belong to
// none of its departments; a department for its members and for the organisation's admins.

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
  /** All departments of the organisation, and whether the user is in them. */
  departments: { id: string; name: string; isMember: boolean }[];
}

/** Lists what a user may act for: themselves first. */
export function listChoices(user: { id: string; name: string }, memberships: Membership[]): AccountChoice[] {
  return [{ type: 'user', id: user.id, name: user.name, role: 'admin' }, ...memberships.flatMap(choicesIn)];
}

function choicesIn({ organization, role, departments }: Membership): AccountChoice[] {
  const whole = { type: 'organization' as const, ...organization, role: accountRoleOf(role) };
  const own = departments.filter((department) => mayActForDepartment(role, department.isMember));
  return [
    ...(mayActForWhole(
      role,
      departments.some(({ isMember }) => isMember),
    )
      ? [whole]
      : []),
    ...own.map(({ id, name }) => ({ ...whole, department: id, departmentName: name })),
  ];
}

export function mayActForWhole(role: string, isInDepartments: boolean): boolean {
  return administersOrganization(role) || !isInDepartments;
}

export function mayActForDepartment(role: string, isMember: boolean): boolean {
  return administersOrganization(role) || isMember;
}

export function accountRoleOf(role: string): AccountRole {
  return administersOrganization(role) ? 'admin' : 'member';
}
