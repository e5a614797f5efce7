// Creates, lists, rotates and revokes API keys. authenticate.ts checks them.

import { randomUUID } from 'node:crypto';
import {
  accountMatches,
  accountOf,
  changeAs,
  enforce,
  isUnlimited,
  NoAccessGrantError,
  policy,
  type Actor,
  type Caller,
  type CurrentActor,
} from '../access/index.ts';
import type { Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import { MAX_PAGE_SIZE } from '../http/index.ts';
import { ApiKeyFieldsError, ApiKeyNotFoundError } from './errors.ts';
import {
  checkFields,
  createRawKey,
  creatorOf,
  hashKey,
  isExpired,
  isKeyId,
  scopesOf,
  scopeWarnings,
  parseExpiry,
} from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import {
  DEFAULT_OVERLAP_SECONDS,
  type ApiKey,
  type ApiKeyList,
  type ApiKeyListQuery,
  type CreatedApiKey,
  type NewApiKey,
  type Rotation,
} from './schemas.ts';

export interface ApiKeyService {
  /** Creates a key; only this result contains the raw key. @throws api_key_fields_invalid, no_access_grant */
  create(actor: Actor, fields: NewApiKey): Promise<CreatedApiKey>;
  /** Lists keys, newest first: all for a superadmin, otherwise the read keys of the caller's account. */
  list(caller: Caller, query: ApiKeyListQuery): Promise<ApiKeyList>;
  /**
   * Gives a key a new raw key, which only this result contains. The current raw key stays valid for the overlap; the
   * one before it stops being valid.
   * @throws api_key_not_found, api_key_fields_invalid for an expired key without a new expiry
   */
  rotate(actor: Actor, id: string, rotation: Rotation): Promise<CreatedApiKey>;
  /**
   * Deletes a key; every replica refuses it immediately.
   * @throws api_key_not_found, also if the caller may not see the key
   */
  revoke(actor: Actor, id: string): Promise<void>;
}

export function createApiKeyService({
  database,
  salt,
  categories,
  accountHasGrant,
  now,
}: Required<ApiKeysOptions>): ApiKeyService {
  return {
    async create(actor, newKey) {
      const fields = checkFields(newKey, categories);
      const { owner } = fields;
      const mayCreate = (caller: Caller) =>
        owner ? policy.createReadKey(caller, owner) : policy.createUploadKey(caller);
      const { rawKey, shortId } = createRawKey();
      const hash = hashKey(rawKey, salt);
      const key = await changeAs(database, actor, mayCreate, async (tx, current) => {
        if (owner && !(await accountHasGrant(owner, tx))) {
          throw new NoAccessGrantError(
            'The owner of a read key needs an access grant for this registry: ask a superadmin to grant it first.',
          );
        }
        const created = {
          _id: randomUUID(),
          ...fields,
          shortId,
          createdAt: now().toISOString(),
          ...creatorOf(current.caller),
        };
        await apiKeyRepository(tx).insert(created, hash);
        await recordChange(tx, current, {
          action: 'api-key.create',
          targetType: 'api-key',
          targetId: created._id,
          details: auditDetails(created),
        });
        return created;
      });
      return { ...key, ...scopeWarnings(key), key: rawKey };
    },

    list(caller, { type, skip = 0, size = MAX_PAGE_SIZE }) {
      enforce(policy.listKeys(caller));
      const owner = isUnlimited(caller) ? undefined : accountOf(caller);
      return apiKeyRepository(database.db).list({ ...(type && { type }), ...(owner && { owner }) }, { skip, size });
    },

    async rotate(actor, id, { overlapSeconds = DEFAULT_OVERLAP_SECONDS, expiresAt }) {
      const { rawKey, shortId } = createRawKey();
      const at = now();
      const key = await changeAs(database, actor, policy.listKeys, async (tx, current) => {
        const newExpiry = typeof expiresAt === 'string' ? parseExpiry(expiresAt) : expiresAt;
        const keys = apiKeyRepository(tx);
        const present = await findVisible(keys, current.caller, id);
        enforce(policy.revokeKey(current.caller, present.owner));
        if (newExpiry === undefined && isExpired(present, at))
          throw new ApiKeyFieldsError('This key has expired: set a new expiry.', {
            errors: [{ path: '/expiresAt', message: 'must be given, since the key has expired' }],
          });
        const previousUntil = new Date(at.getTime() + overlapSeconds * 1000).toISOString();
        const rotated = await keys.rotate(id, {
          hash: hashKey(rawKey, salt),
          shortId,
          at: at.toISOString(),
          previousUntil,
          expiresAt: newExpiry,
        });
        if (!rotated) throw notFound();
        await recordChange(tx, current, {
          action: 'api-key.rotate',
          targetType: 'api-key',
          targetId: id,
          details: { ...auditDetails(rotated), previousShortId: present.shortId, previousUntil },
        });
        return rotated;
      });
      return { ...key, key: rawKey };
    },

    async revoke(actor, id) {
      await changeAs(database, actor, policy.listKeys, async (tx, current) => {
        const keys = apiKeyRepository(tx);
        const key = await findVisible(keys, current.caller, id);
        enforce(policy.revokeKey(current.caller, key.owner));
        if (!(await keys.delete(id))) throw notFound();
        await recordRevocation(tx, current, key);
      });
    },
  };
}

/** Records that a key was deleted, in the transaction that deletes it. */
export async function recordRevocation(tx: Tx, actor: CurrentActor, key: ApiKey): Promise<void> {
  const { _id: id, type, name, shortId } = key;
  await recordChange(tx, actor, {
    action: 'api-key.revoke',
    targetType: 'api-key',
    targetId: id,
    details: auditDetails(key),
    events: [{ type: 'key.revoked', subject: id, data: { type, name, shortId } }],
  });
}

/** Finds a key that the caller may see. @throws api_key_not_found */
async function findVisible(keys: ReturnType<typeof apiKeyRepository>, caller: Caller, id: string): Promise<ApiKey> {
  const key = isKeyId(id) ? await keys.find(id) : undefined;
  if (!key || !isVisible(caller, key)) throw notFound();
  return key;
}

/** Applies the rule of `list` to one key. */
function isVisible(caller: Caller, { owner }: ApiKey): boolean {
  const account = accountOf(caller);
  return isUnlimited(caller) || (owner !== undefined && account !== undefined && accountMatches(account, owner));
}

function notFound() {
  return new ApiKeyNotFoundError('No key has this ID: it may have been revoked.');
}

function auditDetails({ type, name, shortId, owner, expiresAt, ...rest }: ApiKey): Record<string, unknown> {
  return { type, name, shortId, ...scopesOf(rest), owner, expiresAt };
}
