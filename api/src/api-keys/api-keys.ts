// API keys: upload keys with their scopes, read keys with their owner. Making and revoking them is service.ts,
// using them authenticate.ts; which way a request came in, and what its caller may do, is access/.

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { Account, KeyScopes, ReadKeyCaller, UploadKeyCaller } from '../access/index.ts';
import type { Executor } from '../db/index.ts';
import { createKeyAuthenticator } from './authenticate.ts';
import { isExpired, scopesOf } from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import { apiKeyRoutes } from './routes.ts';
import { createApiKeyService } from './service.ts';
import { createUploadTokens, type UploadTokens } from './upload-tokens.ts';

export interface ApiKeys {
  /**
   * Resolves the caller of a raw key; undefined when it is malformed, unknown, revoked or expired. Nothing is cached.
   */
  authenticate: (rawKey: string) => Promise<UploadKeyCaller | ReadKeyCaller | undefined>;
  /**
   * Returns the scopes that an upload key has now, or undefined when it was revoked or has expired. Inside a
   * transaction it also holds off a revocation until the commit: once revoked, a key commits nothing more.
   */
  isStillValid: (executor: Executor, keyId: string) => Promise<KeyScopes | undefined>;
  /** `/api-keys`. */
  routes: FastifyPluginCallbackTypebox;
  /** Deletes the read keys of an account that goes, those of its departments included, and returns how many. */
  deleteKeysOf: (executor: Executor, account: Account) => Promise<number>;
  /** Upload keys that hold for a short time, each in the name of a trusted publisher. */
  tokens: UploadTokens;
  /** Waits for what is still to be written; the database may be closed afterwards. */
  close: () => Promise<void>;
}

export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const settings = { now: () => new Date(), ...options };
  const { database, now } = settings;
  return {
    ...createKeyAuthenticator(settings),
    async isStillValid(executor, keyId) {
      const key = await apiKeyRepository(executor).hold(keyId, database.dialect);
      return key?.type === 'upload' && !isExpired(key, now()) ? scopesOf(key) : undefined;
    },
    routes: apiKeyRoutes(createApiKeyService(settings)),
    tokens: createUploadTokens(settings),
    deleteKeysOf: (executor, account) => apiKeyRepository(executor).deleteOf(account),
  };
}
