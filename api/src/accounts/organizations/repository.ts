// Organisations and their departments, which are better-auth's teams. On the wire a department's ID is the team's
// slug; an organisation's ID is also its slug. member-repository.ts holds the members.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Executor, Schema } from '../../db/index.ts';
import { pageBounds, searchPatterns } from '../operations.ts';
import type { Page, PageQuery } from '../schemas.ts';
import type { Department } from './schemas.ts';

const COLUMNS = ['id', 'name', 'createdAt'] as const;
export type OrganizationRow = Pick<Schema['organization'], (typeof COLUMNS)[number]>;

/** Inserts an organisation; undefined if the ID is already in use. */
export function insertOrganization(
  executor: Executor,
  { id, name }: { id: string; name: string },
): Promise<OrganizationRow | undefined> {
  return executor
    .insertInto('organization')
    .values({ id, name, slug: id, createdAt: new Date() })
    .onConflict((conflict) => conflict.doNothing())
    .returning(COLUMNS)
    .executeTakeFirst();
}

export function findOrganization(executor: Executor, id: string): Promise<OrganizationRow | undefined> {
  return executor.selectFrom('organization').select(COLUMNS).where('id', '=', id).executeTakeFirst();
}

export async function listOrganizations(executor: Executor, query: PageQuery): Promise<Page<OrganizationRow>> {
  let matching = executor.selectFrom('organization');
  for (const pattern of searchPatterns(query.q))
    matching = matching.where(sql<boolean>`lower(id || ' ' || name) like ${pattern} escape '\\'`);
  const { offset, limit } = pageBounds(query);
  const results = await matching.select(COLUMNS).orderBy('name').orderBy('id').limit(limit).offset(offset).execute();
  const { count } = await matching.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return { results, count };
}

export function renameOrganization(
  executor: Executor,
  id: string,
  name: string,
): Promise<OrganizationRow | undefined> {
  return executor.updateTable('organization').set({ name }).where('id', '=', id).returning(COLUMNS).executeTakeFirst();
}

/** Deletes an organisation; departments, members and invitations follow through ON DELETE CASCADE. */
export async function deleteOrganization(executor: Executor, id: string): Promise<boolean> {
  return (
    (await executor.deleteFrom('organization').where('id', '=', id).returning('id').executeTakeFirst()) !== undefined
  );
}

export async function listDepartments(executor: Executor, organizationId: string): Promise<Department[]> {
  return executor
    .selectFrom('team')
    .select(['slug as id', 'name'])
    .where('organizationId', '=', organizationId)
    .orderBy('name')
    .orderBy('slug')
    .execute();
}

/** Creates a department or renames it. */
export async function saveDepartment(
  executor: Executor,
  organizationId: string,
  { id, name }: Department,
): Promise<void> {
  const now = new Date();
  // memberCount is not maintained: better-auth recounts before it enforces a limit, and Berth sets no limit.
  await executor
    .insertInto('team')
    .values({ id: randomUUID(), slug: id, name, organizationId, memberCount: 0, createdAt: now, updatedAt: now })
    .onConflict((conflict) => conflict.columns(['organizationId', 'slug']).doUpdateSet({ name, updatedAt: now }))
    .execute();
}

export async function deleteDepartment(
  executor: Executor,
  organizationId: string,
  department: string,
): Promise<boolean> {
  const deleted = await executor
    .deleteFrom('team')
    .where('organizationId', '=', organizationId)
    .where('slug', '=', department)
    .returning('id')
    .executeTakeFirst();
  return deleted !== undefined;
}
