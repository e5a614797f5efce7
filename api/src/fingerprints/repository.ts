// Fingerprints of the secrets that rows in the database depend on.

import type { Executor } from '../db/index.ts';
import type { Fingerprints } from './operations.ts';

export function fingerprintRepository(executor: Executor) {
  return {
    async list(): Promise<Fingerprints> {
      const rows = await executor.selectFrom('secret_fingerprints').selectAll().execute();
      return Object.fromEntries(rows.map(({ name, fingerprint }) => [name, fingerprint]));
    },

    /** Adds fingerprints; keeps those that exist, also when another process adds them at the same time. */
    async add(fingerprints: Fingerprints): Promise<void> {
      await executor
        .insertInto('secret_fingerprints')
        .values(Object.entries(fingerprints).map(([name, fingerprint]) => ({ name, fingerprint })))
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
    },

    async replace(fingerprints: Fingerprints): Promise<void> {
      await executor.deleteFrom('secret_fingerprints').where('name', 'in', Object.keys(fingerprints)).execute();
      await this.add(fingerprints);
    },

    /** Whether rows depend on the secrets: users and their sessions, API keys, keys of remote registries. */
    async hasDependentRows(): Promise<boolean> {
      const keyedRemotes = executor.selectFrom('remote_registries').where('api_key', 'is not', null);
      const first = await executor
        .selectFrom('user')
        .select('id')
        .unionAll(executor.selectFrom('api_keys').select('id'))
        .unionAll(keyedRemotes.select('id'))
        .limit(1)
        .executeTakeFirst();
      return first !== undefined;
    },
  };
}
