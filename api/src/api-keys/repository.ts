import type { Account } from '../access/index.ts';
import type { ApiKeysTable, Executor, Tx } from '../db/index.ts';
import type { ApiKey, ApiKeyList } from './schemas.ts';

export interface ApiKeyFilter {
  type?: ApiKey['type'];
  /** Only keys of this account; without a department, also those of its departments. */
  owner?: Account;
}

export async function countApiKeys(executor: Executor): Promise<number> {
  const { count } = await executor
    .selectFrom('api_keys')
    .where('publisher_id', 'is', null)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** API keys, and the tokens of trusted publishers in the same table, which lists leave out. */
export function apiKeyRepository(executor: Executor | Tx) {
  const matching = ({ type, owner }: ApiKeyFilter) => {
    let query = executor.selectFrom('api_keys').where('publisher_id', 'is', null);
    if (type) query = query.where('type', '=', type);
    if (owner) query = query.where('owner_type', '=', owner.type).where('owner_id', '=', owner.id);
    return owner?.department ? query.where('owner_department', '=', owner.department) : query;
  };

  return {
    /** @param publisherId trusted publisher of a token; undefined for an API key */
    async insert(key: ApiKey, hash: string, publisherId?: string): Promise<void> {
      await executor
        .insertInto('api_keys')
        .values(toRow(key, hash, publisherId))
        .execute();
    },

    /**
     * Finds a key by its hash, or by the hash of its previous raw key while that is still valid.
     * @param options `locked`: blocks its deletion and rotation until the transaction ends, on PostgreSQL; on SQLite
     *   any write transaction does
     */
    async findByHash(hash: string, at: string, { locked = false } = {}): Promise<ApiKey | undefined> {
      const keys = executor
        .selectFrom('api_keys')
        .selectAll()
        // A rotation writes the unique column hash, so it conflicts with this lock; the time of last use does not.
        .$if(locked, (query) => query.forKeyShare());
      const row =
        (await keys.where('hash', '=', hash).executeTakeFirst()) ??
        (await keys.where('previous_hash', '=', hash).where('previous_until', '>', at).executeTakeFirst());
      return row && fromRow(row);
    },

    /** Replaces the raw key. The current one stays valid until `previousUntil`; an earlier one becomes invalid. */
    async rotate(
      id: string,
      {
        hash,
        shortId,
        at,
        previousUntil,
        expiresAt,
      }: { hash: string; shortId: string; at: string; previousUntil: string; expiresAt: string | null | undefined },
    ): Promise<ApiKey | undefined> {
      const row = await executor
        .updateTable('api_keys')
        .set((eb) => ({
          previous_hash: eb.ref('hash'),
          previous_short_id: eb.ref('short_id'),
          previous_until: previousUntil,
          hash,
          short_id: shortId,
          rotated_at: at,
          ...(expiresAt !== undefined && {
            expires_at: expiresAt,
            expiry_announced_at: null,
            expiry_recorded_at: null,
          }),
        }))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst();
      return row && fromRow(row);
    },

    /** Lists keys that expire within a period and have not been announced, or recorded as an event. */
    async listExpiring(
      missing: 'expiry_announced_at' | 'expiry_recorded_at',
      { after, before, limit }: { after: string; before: string; limit: number },
    ): Promise<ApiKey[]> {
      const rows = await executor
        .selectFrom('api_keys')
        .selectAll()
        .where('expires_at', '>', after)
        .where('expires_at', '<=', before)
        .where(missing, 'is', null)
        .where('publisher_id', 'is', null)
        .orderBy('expires_at')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(fromRow);
    },

    async markAnnounced(ids: readonly string[], at: string): Promise<void> {
      await executor.updateTable('api_keys').set({ expiry_announced_at: at }).where('id', 'in', ids).execute();
    },

    /** Returns false if another process did so first, or the expiry has changed meanwhile. */
    async markRecorded({ _id, expiresAt }: ApiKey, at: string): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('api_keys')
        .set({ expiry_recorded_at: at })
        .where('id', '=', _id)
        .where('expires_at', '=', expiresAt ?? null)
        .where('expiry_recorded_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async find(id: string): Promise<ApiKey | undefined> {
      const row = await executor
        .selectFrom('api_keys')
        .selectAll()
        .where('id', '=', id)
        .where('publisher_id', 'is', null)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async list(filter: ApiKeyFilter, page: { skip: number; size: number }): Promise<ApiKeyList> {
      const rows = await matching(filter)
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(page.size)
        .offset(page.skip)
        .execute();
      const { count } = await matching(filter)
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return { results: rows.map(fromRow), count };
    },

    /** Sets `lastUsedAt`, unless it is later than `notBefore`. */
    async touch(id: string, usedAt: string, notBefore: string): Promise<void> {
      await executor
        .updateTable('api_keys')
        .set({ last_used_at: usedAt })
        .where('id', '=', id)
        .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<=', notBefore)]))
        .execute();
    },

    /** Deletes a key; exactly one of several concurrent calls returns true. */
    async delete(id: string): Promise<boolean> {
      const { numDeletedRows } = await executor.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst();
      return numDeletedRows === 1n;
    },

    /** Deletes the keys of an account, and returns them. */
    async deleteOf(owner: Account): Promise<ApiKey[]> {
      const rows = await executor
        .deleteFrom('api_keys')
        .where('id', 'in', matching({ owner }).select('id'))
        .returningAll()
        .execute();
      return rows.map(fromRow);
    },

    async deleteTokensOf(publisherId: string): Promise<void> {
      await executor.deleteFrom('api_keys').where('publisher_id', '=', publisherId).execute();
    },

    async deleteExpiredTokens(at: string): Promise<void> {
      await executor
        .deleteFrom('api_keys')
        .where('publisher_id', 'is not', null)
        .where('expires_at', '<=', at)
        .execute();
    },
  };
}

function toRow(key: ApiKey, hash: string, publisherId: string | undefined): ApiKeysTable {
  return {
    id: key._id,
    type: key.type,
    name: key.name,
    short_id: key.shortId,
    hash,
    allowed_name: key.allowedName ?? null,
    allowed_name_prefix: key.allowedNamePrefix ?? null,
    allowed_package_name: key.allowedPackageName ?? null,
    allowed_category: key.allowedCategory ?? null,
    owner_type: key.owner?.type ?? null,
    owner_id: key.owner?.id ?? null,
    owner_name: key.owner?.name ?? null,
    owner_department: key.owner?.department ?? null,
    created_at: key.createdAt,
    created_by: JSON.stringify(key.createdBy ?? null),
    expires_at: key.expiresAt ?? null,
    last_used_at: key.lastUsedAt ?? null,
    previous_hash: null,
    previous_short_id: null,
    previous_until: null,
    rotated_at: null,
    expiry_announced_at: null,
    expiry_recorded_at: null,
    publisher_id: publisherId ?? null,
  };
}

function fromRow(row: ApiKeysTable): ApiKey {
  return {
    _id: row.id,
    type: row.type === 'upload' ? 'upload' : 'read',
    name: row.name,
    shortId: row.short_id,
    createdAt: row.created_at,
    ...withoutNulls({
      allowedName: row.allowed_name,
      allowedNamePrefix: row.allowed_name_prefix,
      allowedPackageName: row.allowed_package_name,
      allowedCategory: row.allowed_category,
      owner: toOwner(row),
      createdBy: JSON.parse(row.created_by) as ApiKey['createdBy'] | null,
      expiresAt: row.expires_at,
      lastUsedAt: row.last_used_at,
      rotatedAt: row.rotated_at,
      previousShortId: row.previous_short_id,
      previousUntil: row.previous_until,
    }),
  };
}

function toOwner({
  owner_type: type,
  owner_id: id,
  owner_name: name,
  owner_department: department,
}: ApiKeysTable): Account | null {
  if (type === null || id === null) return null;
  return { type: type === 'user' ? 'user' : 'organization', id, ...withoutNulls({ name, department }) };
}

type WithoutNulls<T> = { [Field in keyof T]?: NonNullable<T[Field]> };

function withoutNulls<T extends object>(fields: T): WithoutNulls<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as WithoutNulls<T>;
}
