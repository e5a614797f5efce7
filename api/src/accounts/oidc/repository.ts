// Identities of the OpenID provider, in better-auth's table of accounts.

import { randomUUID } from 'node:crypto';
import type { Tx } from '../../db/index.ts';
import { OIDC_PROVIDER_ID } from '../operations.ts';

/** Finds the ID of the user to whom an identity is linked. */
export async function findUserByIdentity(tx: Tx, key: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('account')
    .select('userId')
    .where('providerId', '=', OIDC_PROVIDER_ID)
    .where('accountId', '=', key)
    .executeTakeFirst();
  return row?.userId;
}

/** Lists the keys of the identities that are linked to a user. */
export async function listIdentities(tx: Tx, userId: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('account')
    .select('accountId')
    .where('providerId', '=', OIDC_PROVIDER_ID)
    .where('userId', '=', userId)
    .execute();
  return rows.map(({ accountId }) => accountId);
}

/** Links an identity, which must be new, to a user. */
export async function insertIdentity(tx: Tx, userId: string, key: string): Promise<void> {
  const now = new Date();
  await tx
    .insertInto('account')
    .values({
      id: randomUUID(),
      accountId: key,
      providerId: OIDC_PROVIDER_ID,
      userId,
      createdAt: now,
      updatedAt: now,
    })
    .execute();
}

/** Unlinks identities from a user. @param keys default all @returns whether there were any */
export async function deleteIdentities(tx: Tx, userId: string, keys?: readonly string[]): Promise<boolean> {
  if (keys?.length === 0) return false;
  const deleted = await tx
    .deleteFrom('account')
    .where('providerId', '=', OIDC_PROVIDER_ID)
    .where('userId', '=', userId)
    .$if(keys !== undefined, (query) => query.where('accountId', 'in', keys ?? []))
    .returning('id')
    .execute();
  return deleted.length > 0;
}
