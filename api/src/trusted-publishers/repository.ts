import { databaseTime, type DialectName, type Executor, type Tx, type TrustedPublishersTable } from '../db/index.ts';
import type { Publisher } from './schemas.ts';

export function publisherRepository(executor: Executor | Tx, dialect: DialectName) {
  const all = executor.selectFrom('trusted_publishers');
  return {
    async insert(publisher: Publisher): Promise<void> {
      await executor.insertInto('trusted_publishers').values(toRow(publisher)).execute();
    },

    async list(page: { skip: number; size: number }): Promise<{ results: Publisher[]; count: number }> {
      const rows = await all
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(page.size)
        .offset(page.skip)
        .execute();
      const { count } = await all.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
      return { results: rows.map(fromRow), count };
    },

    /** Lists the publishers of an issuer, newest first. */
    async listByIssuer(issuer: string): Promise<Publisher[]> {
      return (
        await all.selectAll().where('issuer', '=', issuer).orderBy('created_at', 'desc').orderBy('id').execute()
      ).map(fromRow);
    },

    /** Sets the number of a repository unless one is set; exactly one of several concurrent calls returns true. */
    async setRepositoryId(id: string, repositoryId: string): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('trusted_publishers')
        .set({ repository_id: repositoryId })
        .where('id', '=', id)
        .where('repository_id', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /**
     * Sets `lastUsedAt` and blocks deletion until the transaction ends; false if the publisher does not exist or has
     * another number.
     */
    async recordUse(
      id: string,
      { at, repositoryId }: { at: string; repositoryId?: string | undefined },
    ): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('trusted_publishers')
        .set({ last_used_at: at })
        .where('id', '=', id)
        .where('repository_id', 'is not distinct from', repositoryId ?? null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async delete(id: string): Promise<Publisher | undefined> {
      const row = await executor
        .deleteFrom('trusted_publishers')
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst();
      return row && fromRow(row);
    },

    /**
     * Records the use of a token; exactly one of several concurrent calls returns true.
     * @param until expiry of the token
     */
    async recordTokenUse(digest: string, until: string): Promise<boolean> {
      const { numInsertedOrUpdatedRows } = await executor
        .insertInto('used_identity_tokens')
        .values({ digest, until })
        .onConflict((conflict) => conflict.column('digest').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },

    /** Deletes used tokens that expired at least `ageMs` ago, a margin for clock differences. */
    async deleteExpiredTokens(ageMs: number): Promise<void> {
      await executor.deleteFrom('used_identity_tokens').where('until', '<=', databaseTime(dialect, -ageMs)).execute();
    },
  };
}

function toRow(publisher: Publisher): TrustedPublishersTable {
  return {
    id: publisher._id,
    name: publisher.name,
    provider: publisher.provider,
    issuer: publisher.issuer,
    repository: publisher.repository,
    repository_id: publisher.repositoryId ?? null,
    workflow: publisher.workflow ?? null,
    branch: publisher.branch ?? null,
    tag: publisher.tag ?? null,
    environment: publisher.environment ?? null,
    any_ref: publisher.anyRef ? 1 : 0,
    events: publisher.events ? JSON.stringify(publisher.events) : null,
    allowed_name: publisher.allowedName ?? null,
    allowed_name_prefix: publisher.allowedNamePrefix ?? null,
    allowed_package_name: publisher.allowedPackageName ?? null,
    allowed_category: publisher.allowedCategory ?? null,
    created_at: publisher.createdAt,
    created_by: JSON.stringify(publisher.createdBy ?? null),
    last_used_at: publisher.lastUsedAt ?? null,
  };
}

function fromRow(row: TrustedPublishersTable): Publisher {
  const optional = {
    repositoryId: row.repository_id,
    workflow: row.workflow,
    branch: row.branch,
    tag: row.tag,
    environment: row.environment,
    anyRef: row.any_ref === 1 ? true : null,
    events: row.events === null ? null : (JSON.parse(row.events) as string[]),
    allowedName: row.allowed_name,
    allowedNamePrefix: row.allowed_name_prefix,
    allowedPackageName: row.allowed_package_name,
    allowedCategory: row.allowed_category,
    createdBy: JSON.parse(row.created_by) as Publisher['createdBy'] | null,
    lastUsedAt: row.last_used_at,
  };
  return {
    _id: row.id,
    name: row.name,
    provider: row.provider === 'gitlab' ? 'gitlab' : 'github',
    issuer: row.issuer,
    repository: row.repository,
    createdAt: row.created_at,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
  };
}
