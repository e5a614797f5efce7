// From a raw key to its caller, asked of the database each time so that revocation counts at once, and the note
// of when a key was used last. Making and revoking keys lives in service.ts.

import type { ReadKeyCaller, UploadKeyCaller } from '../access/index.ts';
import { hashKey, isExpired, isRawKey, scopesOf } from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import type { ApiKey } from './schemas.ts';

/** `lastUsedAt` is written at most once in this time for each key. */
const USE_INTERVAL_MS = 60_000;

export function createKeyAuthenticator({ database, salt, accountHasGrant, onError, now }: Required<ApiKeysOptions>) {
  const keys = apiKeyRepository(database.db);
  const pendingUses = new Map<string, Promise<void>>();

  async function callerOf(key: ApiKey): Promise<UploadKeyCaller | ReadKeyCaller> {
    const identity = { id: key._id, name: key.name, shortId: key.shortId };
    if (!key.owner) return { kind: 'upload-key', key: identity, scopes: scopesOf(key) };
    return {
      kind: 'read-key',
      key: identity,
      account: key.owner,
      hasGrant: await accountHasGrant(key.owner, database.db),
    };
  }

  /** Not awaited by the request; while a note of this key is under way there is no second one. */
  function noteUse(key: ApiKey, at: Date): void {
    const notBefore = new Date(at.getTime() - USE_INTERVAL_MS);
    const isNoted = key.lastUsedAt !== undefined && Date.parse(key.lastUsedAt) > notBefore.getTime();
    if (isNoted || pendingUses.has(key._id)) return;
    const write = keys
      .touch(key._id, at.toISOString(), notBefore.toISOString())
      .catch(onError)
      .finally(() => pendingUses.delete(key._id));
    pendingUses.set(key._id, write);
  }

  return {
    async authenticate(rawKey: string): Promise<UploadKeyCaller | ReadKeyCaller | undefined> {
      if (!isRawKey(rawKey)) return undefined;
      const at = now();
      const key = await keys.findByHash(hashKey(rawKey, salt), at.toISOString());
      if (!key || isExpired(key, at)) return undefined;
      const caller = await callerOf(key);
      noteUse(key, at);
      return caller;
    },

    async close(): Promise<void> {
      await Promise.all(pendingUses.values());
    },
  };
}
