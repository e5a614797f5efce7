// Upload keys that pipelines get in exchange for their identity: as any other key for whoever uses one, but
// short-lived, shown in no list, and gone with the trusted publisher in whose name they were made.

import { randomUUID } from 'node:crypto';
import type { KeyScopes } from '../access/index.ts';
import type { Executor, Tx } from '../db/index.ts';
import { createRawKey, hashKey, scopesOf } from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';

export interface UploadToken {
  id: string;
  /** The raw key; it is stored only as a hash. */
  key: string;
  shortId: string;
  /** ISO 8601, UTC with milliseconds. */
  expiresAt: string;
}

export interface UploadTokens {
  /** Makes a token. @param lifetimeSeconds from now on */
  make(
    tx: Tx,
    token: { publisherId: string; name: string; scopes: KeyScopes; lifetimeSeconds: number },
  ): Promise<UploadToken>;
  /** Ends the tokens of a publisher, at once. */
  deleteOf(tx: Tx, publisherId: string): Promise<void>;
  /** Removes what has ended. */
  deleteEnded(executor: Executor): Promise<void>;
}

export function createUploadTokens({ salt, now }: Pick<Required<ApiKeysOptions>, 'salt' | 'now'>): UploadTokens {
  return {
    async make(tx, { publisherId, name, scopes, lifetimeSeconds }) {
      const { rawKey, shortId } = createRawKey();
      const at = now();
      const expiresAt = new Date(at.getTime() + lifetimeSeconds * 1000).toISOString();
      const id = randomUUID();
      await apiKeyRepository(tx).insert(
        { _id: id, type: 'upload', name, shortId, ...scopesOf(scopes), createdAt: at.toISOString(), expiresAt },
        hashKey(rawKey, salt),
        publisherId,
      );
      return { id, key: rawKey, shortId, expiresAt };
    },
    deleteOf: (tx, publisherId) => apiKeyRepository(tx).deleteTokensOf(publisherId),
    deleteEnded: (executor) => apiKeyRepository(executor).deleteEndedTokens(now().toISOString()),
  };
}
