// Members of organisations and their departments, which are better-auth's teams.

import { createHash, randomUUID } from 'node:crypto';
import type { Executor } from '../../db/index.ts';

export interface MemberRow {
  userId: string;
  name: string;
  email: string;
  role: string;
  departments: string[];
}

/** Lists the members of an organisation, sorted by e-mail address; with `userId`, only that member. */
export async function listMembers(executor: Executor, organizationId: string, userId?: string): Promise<MemberRow[]> {
  const rows = await executor
    .selectFrom('member as m')
    .innerJoin('user as u', 'u.id', 'm.userId')
    .where('m.organizationId', '=', organizationId)
    .$if(userId !== undefined, (query) => query.where('m.userId', '=', userId ?? ''))
    .select(['m.userId', 'u.name', 'u.email', 'm.role'])
    .orderBy('u.email')
    .execute();
  const inDepartments = await executor
    .selectFrom('teamMember as tm')
    .innerJoin('team as t', 't.id', 'tm.teamId')
    .where('t.organizationId', '=', organizationId)
    .select(['tm.userId', 't.slug'])
    .orderBy('t.slug')
    .execute();
  return rows.map((row) => ({
    ...row,
    departments: inDepartments.filter((member) => member.userId === row.userId).map(({ slug }) => slug),
  }));
}

/** Finds a member of an organisation with their departments. */
export async function findMember(
  executor: Executor,
  organizationId: string,
  userId: string,
): Promise<MemberRow | undefined> {
  const [member] = await listMembers(executor, organizationId, userId);
  return member;
}

/** Adds a member, or changes their role. */
export async function saveMember(
  executor: Executor,
  member: { organizationId: string; userId: string; role: string },
): Promise<void> {
  await executor
    .insertInto('member')
    .values({ ...member, id: randomUUID(), createdAt: new Date() })
    .onConflict((conflict) => conflict.columns(['organizationId', 'userId']).doUpdateSet({ role: member.role }))
    .execute();
}

/** Replaces the departments of a member; returns those that the organisation does not have. */
export async function replaceDepartments(
  executor: Executor,
  organizationId: string,
  userId: string,
  departments: string[],
): Promise<string[]> {
  await leaveDepartments(executor, organizationId, userId);
  if (departments.length === 0) return [];
  const teams = await executor
    .selectFrom('team')
    .select(['id', 'slug'])
    .where('organizationId', '=', organizationId)
    .where('slug', 'in', departments)
    .execute();
  if (teams.length > 0) {
    await executor
      .insertInto('teamMember')
      .values(
        teams.map(({ id: teamId }) => ({
          id: randomUUID(),
          teamId,
          userId,
          membershipKey: membershipKeyOf(teamId, userId),
          createdAt: new Date(),
        })),
      )
      .execute();
  }
  return departments.filter((department) => !teams.some(({ slug }) => slug === department));
}

/** Adds a member to a department. */
export async function addDepartment(
  executor: Executor,
  organizationId: string,
  userId: string,
  department: string,
): Promise<void> {
  const current = await executor
    .selectFrom('teamMember as tm')
    .innerJoin('team as t', 't.id', 'tm.teamId')
    .where('t.organizationId', '=', organizationId)
    .where('tm.userId', '=', userId)
    .select('t.slug')
    .execute();
  await replaceDepartments(executor, organizationId, userId, [
    ...new Set([...current.map(({ slug }) => slug), department]),
  ]);
}

export async function deleteMember(executor: Executor, organizationId: string, userId: string): Promise<boolean> {
  await leaveDepartments(executor, organizationId, userId);
  const deleted = await executor
    .deleteFrom('member')
    .where('organizationId', '=', organizationId)
    .where('userId', '=', userId)
    .returning('id')
    .executeTakeFirst();
  return deleted !== undefined;
}

async function leaveDepartments(executor: Executor, organizationId: string, userId: string): Promise<void> {
  await executor
    .deleteFrom('teamMember')
    .where('userId', '=', userId)
    .where('teamId', 'in', (query) =>
      query.selectFrom('team').select('id').where('organizationId', '=', organizationId),
    )
    .execute();
}

/** Value of better-auth's unique column, which prevents duplicate memberships. */
function membershipKeyOf(teamId: string, userId: string): string {
  return createHash('sha256')
    .update(JSON.stringify([teamId, userId]))
    .digest('base64url');
}

/** Returns the roles of a user by organisation ID. */
export async function listMembershipRoles(executor: Executor, userId: string): Promise<Map<string, string>> {
  const rows = await executor
    .selectFrom('member')
    .select(['organizationId', 'role'])
    .where('userId', '=', userId)
    .execute();
  return new Map(rows.map(({ organizationId, role }) => [organizationId, role]));
}
