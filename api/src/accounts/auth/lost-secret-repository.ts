// What depends on AUTH_SECRET: sessions and sign-ins in progress, whose cookies it signs, and second factors, which it
// encrypts.

import type { Executor, Tx } from '../../db/index.ts';

/** Number of rows that a new AUTH_SECRET invalidates. */
export interface AuthSecretUse {
  sessions: number;
  secondFactors: number;
}

export async function countAuthSecretUse(executor: Executor): Promise<AuthSecretUse> {
  const count = async (table: 'session' | 'twoFactor') =>
    (
      await executor
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
    ).count;
  return { sessions: await count('session'), secondFactors: await count('twoFactor') };
}

/** Ends all sessions, and removes all second factors, password links and sign-ins in progress. */
export async function deleteAuthSecretUse(tx: Tx): Promise<void> {
  await tx.deleteFrom('session').execute();
  await tx.deleteFrom('verification').execute();
  await tx.deleteFrom('twoFactor').execute();
  await tx.updateTable('user').set({ twoFactorEnabled: false }).where('twoFactorEnabled', '=', true).execute();
}
