// `berth secrets reset`: the way out when secrets that rows in the database depend on are lost.

import { countAuthSecretUse, deleteAuthSecretUse } from './accounts/index.ts';
import { SYSTEM_ACTOR } from './access/index.ts';
import { countApiKeys } from './api-keys/index.ts';
import { readConfig } from './config/index.ts';
import type { Tx } from './db/index.ts';
import { recordChange } from './events/index.ts';
import { fingerprintRepository } from './fingerprints/index.ts';
import { assertOwnSchema, withInstance } from './maintenance.ts';
import { requireInstance } from './open.ts';
import { listUnreadableKeys, markUnreadableKeys } from './remotes/index.ts';
import { lostSecrets } from './secret-check.ts';
import { findSecrets, fingerprintsOf, storeGenerated, type BoundSecret, type Secrets } from './secrets.ts';

export interface SecretsReport {
  /** Whether the present secrets were adopted; false: nothing was changed. */
  adopted: boolean;
  /** Secrets that rows depend on and that are missing, or have another value than before. */
  lost: BoundSecret[];
  /** What no longer works with the present secrets. */
  sessions: number;
  secondFactors: number;
  apiKeys: number;
  /** URLs of the remote registries whose key must be entered again. */
  remoteRegistries: string[];
}

/**
 * Adopts the present secrets in place of those that rows depend on, and generates missing ones with SQLite. Ends what
 * depended on the lost ones; API keys stay listed, to be rotated or revoked. Run again after an interruption.
 * @param options `confirm`: without it, only reports what would be lost
 * @throws ConfigError; restore_incomplete, database_too_new, database_too_old
 */
export async function resetSecrets(
  env: NodeJS.ProcessEnv,
  { confirm = false }: { confirm?: boolean } = {},
): Promise<SecretsReport> {
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async ({ database }) => {
    await assertOwnSchema(database);
    const found = findSecrets(config);
    const { missing, different } = lostSecrets(await fingerprintRepository(database.db).list(), found);
    const lost = [...missing, ...different];
    // Before the rows are changed: after a crash in between, the generated secrets are those that will be adopted.
    if (confirm) storeGenerated(config, found);
    return database.transaction(async (tx) => {
      const report = { adopted: confirm, lost, ...(await findLosses(tx, lost, found.values)) };
      if (confirm) await adopt(tx, report, found.values);
      return report;
    });
  });
}

async function findLosses(tx: Tx, lost: readonly BoundSecret[], secrets: Secrets) {
  return {
    ...(lost.includes('AUTH_SECRET') ? await countAuthSecretUse(tx) : { sessions: 0, secondFactors: 0 }),
    apiKeys: lost.includes('API_KEYS_SALT') ? await countApiKeys(tx) : 0,
    remoteRegistries: lost.includes('CIPHER_PASSWORD') ? await listUnreadableKeys(tx, secrets.CIPHER_PASSWORD) : [],
  };
}

async function adopt(tx: Tx, { adopted: _, ...report }: SecretsReport, secrets: Secrets): Promise<void> {
  if (report.lost.includes('AUTH_SECRET')) await deleteAuthSecretUse(tx);
  await markUnreadableKeys(tx, report.remoteRegistries);
  await fingerprintRepository(tx).replace(fingerprintsOf(secrets));
  if (report.lost.length > 0)
    await recordChange(tx, SYSTEM_ACTOR, {
      action: 'secrets.reset',
      targetType: 'setting',
      targetId: 'secrets',
      details: { ...report },
    });
}
