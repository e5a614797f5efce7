// What users sign in with, in better-auth's tables.

import { createHash, randomUUID } from 'node:crypto';
import type { Executor } from '../../db/index.ts';
import { OIDC_PROVIDER_ID } from '../operations.ts';

/**
 * Deletes a user's password, second factor, pending links and identities of the OpenID provider.
 * @returns those that there were, for the audit log
 */
export async function deleteCredentials(
  executor: Executor,
  userId: string,
  { keepPassword = false }: { keepPassword?: boolean } = {},
): Promise<string[]> {
  const accounts = await executor
    .deleteFrom('account')
    .where('userId', '=', userId)
    .$if(keepPassword, (query) => query.where('providerId', '<>', 'credential'))
    .returning('providerId')
    .execute();
  const factors = await executor.deleteFrom('twoFactor').where('userId', '=', userId).returning('id').execute();
  await executor.updateTable('user').set({ twoFactorEnabled: false }).where('id', '=', userId).execute();
  await executor.deleteFrom('verification').where('value', '=', userId).execute();
  return [
    ...(accounts.some(({ providerId }) => providerId === 'credential') ? ['password'] : []),
    ...(accounts.some(({ providerId }) => providerId === OIDC_PROVIDER_ID) ? ['identity'] : []),
    ...(factors.length > 0 ? ['second-factor'] : []),
  ];
}

/** Stores a token with which a user sets a new password once, as a hash. */
export async function insertResetToken(
  executor: Executor,
  { userId, token, expiresAt }: { userId: string; token: string; expiresAt: Date },
): Promise<void> {
  const now = new Date();
  // As better-auth stores and finds it (verification-token-storage.mjs).
  const identifier = createHash('sha256').update(`reset-password:${token}`).digest('base64url');
  await executor
    .insertInto('verification')
    .values({ id: randomUUID(), identifier, value: userId, expiresAt, createdAt: now, updatedAt: now })
    .execute();
}

/** Returns the stored hash of a user's password, if they have one. */
export async function findPasswordHash(executor: Executor, userId: string): Promise<string | undefined> {
  const row = await executor
    .selectFrom('account')
    .select('password')
    .where('userId', '=', userId)
    .where('providerId', '=', 'credential')
    .executeTakeFirst();
  return row?.password ?? undefined;
}
