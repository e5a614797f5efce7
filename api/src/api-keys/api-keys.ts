// API keys: upload keys with scopes and read keys with an owner. service.ts creates and revokes them, authenticate.ts
// checks them; access/ reads them from requests and decides what their callers may do.

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { Account, CurrentActor, ReadKeyCaller, UploadKeyCaller } from '../access/index.ts';
import type { Executor, Tx } from '../db/index.ts';
import { createKeyAuthenticator } from './authenticate.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import { apiKeyRoutes } from './routes.ts';
import { createApiKeyService, recordRevocation } from './service.ts';
import { createUploadTokens, type UploadTokens } from './upload-tokens.ts';

export interface ApiKeys {
  /** Resolves the caller of a raw key; undefined if it is malformed, unknown, revoked or expired. Not cached. */
  authenticate: (rawKey: string) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /**
   * Resolves the caller of a raw key as of now; undefined as for `authenticate`. In a transaction it also locks the
   * key, which blocks a revocation or rotation until the commit: a key that is no longer valid cannot commit anything.
   */
  reload: (rawKey: string, executor: Executor) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /** `/api-keys`. */
  routes: FastifyPluginCallbackTypebox;
  /** Deletes the read keys of a deleted account, including those of its departments. */
  deleteKeysOf: (tx: Tx, actor: CurrentActor, account: Account) => Promise<void>;
  /** Short-lived upload keys issued to trusted publishers. */
  tokens: UploadTokens;
  /** Waits for pending writes; the database may be closed afterwards. */
  close: () => Promise<void>;
}

export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const settings = { now: () => new Date(), ...options };
  return {
    ...createKeyAuthenticator(settings),
    routes: apiKeyRoutes(createApiKeyService(settings)),
    tokens: createUploadTokens(settings),
    async deleteKeysOf(tx, actor, account) {
      for (const key of await apiKeyRepository(tx).deleteOf(account)) await recordRevocation(tx, actor, key);
    },
  };
}
