// Access grants: one row per account; an empty department means the organisation with all its departments.

import type { AccessGrantsTable, Executor } from '../../db/index.ts';
import type { Account } from '../../access/index.ts';
import { pageBounds, searchPatterns } from '../operations.ts';
import type { Page, PageQuery } from '../schemas.ts';
import { sql } from 'kysely';

/** Inserts a grant; false if the account already has one. */
export async function insertGrant(executor: Executor, grant: AccessGrantsTable): Promise<boolean> {
  const inserted = await executor
    .insertInto('access_grants')
    .values(grant)
    .onConflict((conflict) => conflict.columns(['account_type', 'account_id', 'department']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function listGrants(executor: Executor, query: PageQuery): Promise<Page<AccessGrantsTable>> {
  let matching = executor.selectFrom('access_grants');
  for (const pattern of searchPatterns(query.q)) {
    matching = matching.where(
      sql<boolean>`
        lower(account_id || ' ' || coalesce(account_name, '') || ' ' || department) like ${pattern} escape '\\'`,
    );
  }
  const { offset, limit } = pageBounds(query);
  const results = await matching
    .selectAll()
    .orderBy('granted_at', 'desc')
    .orderBy('id')
    .limit(limit)
    .offset(offset)
    .execute();
  const { count } = await matching.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return { results, count };
}

/** Finds the grant that covers an account, the wider one first; the same rule as `accountMatches`. */
export function findGrantFor(executor: Executor, account: Account): Promise<AccessGrantsTable | undefined> {
  return executor
    .selectFrom('access_grants')
    .selectAll()
    .where('account_type', '=', account.type)
    .where('account_id', '=', account.id)
    .where('department', 'in', ['', account.department ?? ''])
    .orderBy('department')
    .limit(1)
    .executeTakeFirst();
}

/** Deletes a grant and returns it. */
export function deleteGrant(executor: Executor, id: string): Promise<AccessGrantsTable | undefined> {
  return executor.deleteFrom('access_grants').where('id', '=', id).returningAll().executeTakeFirst();
}

/** Deletes the grants of a deleted account: those of all departments, or only that of `department` if it is set. */
export async function deleteGrantsOf(executor: Executor, account: Account): Promise<void> {
  await executor
    .deleteFrom('access_grants')
    .where('account_type', '=', account.type)
    .where('account_id', '=', account.id)
    .$if(account.department !== undefined, (query) => query.where('department', '=', account.department ?? ''))
    .execute();
}

/** Returns the name of an account that this registry manages; undefined for others. */
export async function findAccountName(executor: Executor, { type, id }: Account): Promise<string | undefined> {
  const row = await executor.selectFrom(type).select('name').where('id', '=', id).executeTakeFirst();
  return row?.name;
}
