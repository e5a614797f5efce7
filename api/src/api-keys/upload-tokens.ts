// Upload tokens: short-lived upload keys that pipelines get for their identity token. They work like any upload key,
// appear in no list, and are deleted with their trusted publisher.

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
  /** Creates a token that expires after `lifetimeSeconds`. */
  create(
    tx: Tx,
    token: { publisherId: string; name: string; scopes: KeyScopes; lifetimeSeconds: number },
  ): Promise<UploadToken>;
  /** Revokes the tokens of a publisher immediately. */
  deleteOf(tx: Tx, publisherId: string): Promise<void>;
  /** Deletes expired tokens. */
  deleteExpired(executor: Executor): Promise<void>;
}

export function createUploadTokens({ salt, now }: Pick<Required<ApiKeysOptions>, 'salt' | 'now'>): UploadTokens {
  return {
    async create(tx, { publisherId, name, scopes, lifetimeSeconds }) {
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
    deleteExpired: (executor) => apiKeyRepository(executor).deleteExpiredTokens(now().toISOString()),
  };
}
