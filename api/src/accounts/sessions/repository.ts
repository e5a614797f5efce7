// The session check as one query, a user's memberships, and their list of sessions.

import { sql, type RawBuilder } from 'kysely';
import type { Database, DialectName, Executor, Schema } from '../../db/index.ts';
import type { Membership } from './operations.ts';

type Flag = number | boolean;

/** A session with its user and the account that it names, if that still exists. */
export interface SessionRow {
  sessionId: string;
  expiresAt: Date | string;
  activeOrganizationId: string | null;
  activeTeamId: string | null;
  userId: string;
  userName: string;
  email: string;
  role: string | null;
  banned: Flag | null;
  banExpires: Date | string | null;
  organizationId: string | null;
  organizationName: string | null;
  memberRole: string | null;
  department: string | null;
  isInDepartment: Flag;
  isInAnyDepartment: Flag;
  userGrant: Flag;
  organizationGrant: Flag;
  departmentGrant: Flag;
}

/** In the order of the query's columns. */
const COLUMNS = [
  'sessionId',
  'expiresAt',
  'activeOrganizationId',
  'activeTeamId',
  'userId',
  'userName',
  'email',
  'role',
  'banned',
  'banExpires',
  'organizationId',
  'organizationName',
  'memberRole',
  'department',
  'isInDepartment',
  'isInAnyDepartment',
  'userGrant',
  'organizationGrant',
  'departmentGrant',
] as const satisfies readonly (keyof SessionRow)[];

/** Prepares the query of the session check, which returns undefined for an unknown session. */
export function createFindSession({
  db,
  prepareOne,
}: Pick<Database, 'db' | 'prepareOne'>): (token: string) => Promise<SessionRow | undefined> {
  return prepareOne<SessionRow>(selectSession(db).where('s.token', '=', '').compile(), COLUMNS);
}

/** Finds a session as the session check does, by its ID. */
export function findSessionById(executor: Executor, id: string): Promise<SessionRow | undefined> {
  return selectSession(executor).where('s.id', '=', id).executeTakeFirst();
}

/**
 * Keeps what decides about a session's rights from changing until the transaction ends: the session cannot be deleted,
 * its user can be neither changed nor deleted, and neither can the membership that it names. On SQLite, every
 * transaction keeps all others from writing.
 */
export async function lockSession(tx: Executor, id: string, dialect: DialectName): Promise<void> {
  if (dialect === 'sqlite') return;
  // The user before the session, in the order in which a user is changed or deleted.
  const session = await tx
    .selectFrom('session as s')
    .innerJoin('user as u', 'u.id', 's.userId')
    .select(['u.id as userId', 's.activeOrganizationId'])
    .where('s.id', '=', id)
    .forShare('u')
    .forKeyShare('s')
    .executeTakeFirst();
  if (!session || session.activeOrganizationId === null) return;
  await tx
    .selectFrom('member')
    .select('id')
    .where('organizationId', '=', session.activeOrganizationId)
    .where('userId', '=', session.userId)
    .forShare()
    .executeTakeFirst();
}

function selectSession(executor: Executor) {
  const hasGrant = (
    type: 'user' | 'organization',
    id: string,
    department: RawBuilder<unknown>,
  ) => sql<Flag>`exists (select 1 from access_grants g
    where g.account_type = ${sql.lit(type)} and g.account_id = ${sql.ref(id)} and g.department = ${department})`;
  return executor
    .selectFrom('session as s')
    .innerJoin('user as u', 'u.id', 's.userId')
    .leftJoin('member as m', (join) =>
      join.onRef('m.organizationId', '=', 's.activeOrganizationId').onRef('m.userId', '=', 's.userId'),
    )
    .leftJoin('organization as o', 'o.id', 'm.organizationId')
    .leftJoin('team as t', (join) =>
      join.onRef('t.id', '=', 's.activeTeamId').onRef('t.organizationId', '=', 'm.organizationId'),
    )
    .select([
      's.id as sessionId',
      's.expiresAt',
      's.activeOrganizationId',
      's.activeTeamId',
      'u.id as userId',
      'u.name as userName',
      'u.email',
      'u.role',
      'u.banned',
      'u.banExpires',
    ])
    .select(['o.id as organizationId', 'o.name as organizationName', 'm.role as memberRole', 't.slug as department'])
    .select([
      sql<Flag>`
        exists (select 1 from "teamMember" tm where tm."teamId" = t.id and tm."userId" = u.id)`.as('isInDepartment'),
      sql<Flag>`
        exists (select 1 from "teamMember" tm join team own on own.id = tm."teamId"
          where own."organizationId" = m."organizationId" and tm."userId" = u.id)`.as('isInAnyDepartment'),
      hasGrant('user', 'u.id', sql.lit('')).as('userGrant'),
      hasGrant('organization', 'o.id', sql.lit('')).as('organizationGrant'),
      hasGrant('organization', 'o.id', sql.ref('t.slug')).as('departmentGrant'),
    ]);
}

/** Lists the memberships of a user, sorted by the names of organisations and departments. */
export async function listMemberships(executor: Executor, userId: string): Promise<Membership[]> {
  const rows = await executor
    .selectFrom('member as m')
    .innerJoin('organization as o', 'o.id', 'm.organizationId')
    .leftJoin('team as t', 't.organizationId', 'o.id')
    .leftJoin('teamMember as tm', (join) => join.onRef('tm.teamId', '=', 't.id').onRef('tm.userId', '=', 'm.userId'))
    .where('m.userId', '=', userId)
    .select(['o.id', 'o.name', 'm.role', 't.slug', 't.name as departmentName', 'tm.id as teamMemberId'])
    .orderBy('o.name')
    .orderBy('o.id')
    .orderBy('t.name')
    .orderBy('t.slug')
    .execute();
  const memberships = new Map<string, Membership>();
  for (const row of rows) {
    const membership = memberships.get(row.id) ?? {
      organization: { id: row.id, name: row.name },
      role: row.role,
      departments: [],
    };
    memberships.set(row.id, membership);
    if (row.slug !== null)
      membership.departments.push({
        id: row.slug,
        name: row.departmentName ?? row.slug,
        isMember: row.teamMemberId !== null,
      });
  }
  return [...memberships.values()];
}

/** Sets the account that a session acts for: an organisation, one of its departments, or neither (the user). */
export async function writeActiveAccount(
  executor: Executor,
  sessionId: string,
  account: { organizationId?: string | undefined; department?: string | undefined },
): Promise<void> {
  const { organizationId = null, department } = account;
  const team =
    organizationId !== null && department !== undefined
      ? await executor
          .selectFrom('team')
          .select('id')
          .where('organizationId', '=', organizationId)
          .where('slug', '=', department)
          .executeTakeFirst()
      : undefined;
  await executor
    .updateTable('session')
    .set({ activeOrganizationId: organizationId, activeTeamId: team?.id ?? null })
    .where('id', '=', sessionId)
    .execute();
}

export type SessionListRow = Pick<
  Schema['session'],
  'id' | 'createdAt' | 'updatedAt' | 'expiresAt' | 'ipAddress' | 'userAgent'
>;

/** Lists the unexpired sessions of a user, most recently renewed first. */
export function listSessions(executor: Executor, userId: string, now: Date): Promise<SessionListRow[]> {
  return executor
    .selectFrom('session')
    .select(['id', 'createdAt', 'updatedAt', 'expiresAt', 'ipAddress', 'userAgent'])
    .where('userId', '=', userId)
    .where('expiresAt', '>', now)
    .orderBy('updatedAt', 'desc')
    .orderBy('id')
    .execute();
}

/** Ends a session of a user; false if they have none with this ID. */
export async function deleteSession(executor: Executor, userId: string, id: string): Promise<boolean> {
  return (
    (await executor
      .deleteFrom('session')
      .where('userId', '=', userId)
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst()) !== undefined
  );
}
