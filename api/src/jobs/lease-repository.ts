import { databaseTime, type DialectName, type Executor, type Tx } from '../db/index.ts';

/** Which lease, of which of its holders. */
export interface LeaseId {
  name: string;
  holder: string;
  token: number;
}

export function leaseRepository(executor: Executor | Tx, dialect: DialectName) {
  return {
    /** Takes a lease that is free or has expired, and returns its new token; undefined while somebody has it. */
    async take(name: string, holder: string, ttlMs: number): Promise<number | undefined> {
      const now = databaseTime(dialect);
      const expiresAt = databaseTime(dialect, ttlMs);
      const row = await executor
        .insertInto('leases')
        .values({ name, holder, token: 1, expires_at: expiresAt })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet((eb) => ({ holder, token: eb('leases.token', '+', 1), expires_at: expiresAt }))
            .where((eb) => eb.or([eb('leases.holder', 'is', null), eb('leases.expires_at', '<=', now)])),
        )
        .returning('token')
        .executeTakeFirst();
      return row?.token;
    },

    /** Renews it from now on; false when another has it. One that has expired, but that nobody took, goes on. */
    async renew({ name, holder, token }: LeaseId, ttlMs: number): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('leases')
        .set({ expires_at: databaseTime(dialect, ttlMs) })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .where('token', '=', token)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Tells whether it is still held, and locks the row, so that nobody takes it before the transaction ends. */
    async lock({ name, holder, token }: LeaseId): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('leases')
        .set((eb) => ({ token: eb.ref('token') }))
        .where('name', '=', name)
        .where('holder', '=', holder)
        .where('token', '=', token)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Gives it back; the row stays, so that tokens grow. */
    async release({ name, holder, token }: LeaseId): Promise<void> {
      await executor
        .updateTable('leases')
        .set({ holder: null })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .where('token', '=', token)
        .execute();
    },
  };
}
