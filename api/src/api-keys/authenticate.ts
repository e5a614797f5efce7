// Authenticates raw keys and records when each was last used. Every check queries the database, so that a revocation
// takes effect immediately.

import type { ReadKeyCaller, UploadKeyCaller } from '../access/index.ts';
import type { Executor } from '../db/index.ts';
import { hashKey, isExpired, isRawKey, scopesOf } from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import type { ApiKey } from './schemas.ts';

/** `lastUsedAt` is written at most once per interval and key. */
const USE_INTERVAL_MS = 60_000;

export function createKeyAuthenticator({ database, salt, accountHasGrant, onError, now }: Required<ApiKeysOptions>) {
  const keys = apiKeyRepository(database.db);
  const pendingWrites = new Map<string, Promise<void>>();

  async function callerOf(key: ApiKey, executor: Executor): Promise<UploadKeyCaller | ReadKeyCaller> {
    const identity = { id: key._id, name: key.name, shortId: key.shortId };
    if (!key.owner) return { kind: 'upload-key', key: identity, scopes: scopesOf(key) };
    return {
      kind: 'read-key',
      key: identity,
      account: key.owner,
      hasGrant: await accountHasGrant(key.owner, executor),
    };
  }

  /** Writes `lastUsedAt` in the background, with at most one write in progress per key. */
  function recordUse(key: ApiKey, at: Date): void {
    const notBefore = new Date(at.getTime() - USE_INTERVAL_MS);
    const isRecent = key.lastUsedAt !== undefined && Date.parse(key.lastUsedAt) > notBefore.getTime();
    if (isRecent || pendingWrites.has(key._id)) return;
    const write = keys
      .touch(key._id, at.toISOString(), notBefore.toISOString())
      .catch(onError)
      .finally(() => pendingWrites.delete(key._id));
    pendingWrites.set(key._id, write);
  }

  return {
    async authenticate(rawKey: string): Promise<UploadKeyCaller | ReadKeyCaller | undefined> {
      if (!isRawKey(rawKey)) return undefined;
      const at = now();
      const key = await keys.findByHash(hashKey(rawKey, salt), at.toISOString());
      if (!key || isExpired(key, at)) return undefined;
      const caller = await callerOf(key, database.db);
      recordUse(key, at);
      return caller;
    },

    async reload(rawKey: string, executor: Executor): Promise<UploadKeyCaller | ReadKeyCaller | undefined> {
      const at = now();
      const rows = apiKeyRepository(executor);
      const locked = executor.isTransaction && database.dialect === 'postgres';
      const key = await rows.findByHash(hashKey(rawKey, salt), at.toISOString(), { locked });
      return key && !isExpired(key, at) ? callerOf(key, executor) : undefined;
    },

    async close(): Promise<void> {
      await Promise.all(pendingWrites.values());
    },
  };
}
