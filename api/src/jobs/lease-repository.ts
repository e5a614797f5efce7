import { databaseTime, type DialectName, type Executor, type Tx } from '../db/index.ts';

/** A lease as one holder acquired it. */
export interface LeaseId {
  name: string;
  holder: string;
  /** Fencing token. */
  token: number;
}

export function leaseRepository(executor: Executor | Tx, dialect: DialectName) {
  return {
    /** Acquires a lease that is free or expired and returns its new fencing token; undefined while it is held. */
    async acquire(name: string, holder: string, ttlMs: number): Promise<number | undefined> {
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

    /** Extends the lease from now; false when another holder has it. Revives an expired lease that nobody acquired. */
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

    /** Returns whether the lease is still held, and locks its row until the transaction ends. */
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

    /** Releases the lease; the row stays, so that fencing tokens keep growing. */
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
