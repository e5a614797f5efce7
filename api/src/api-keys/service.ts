// Making, listing and revoking keys. Using one is authenticate.ts.

import { randomUUID } from 'node:crypto';
import { accountMatches, accountOf, enforce, isUnlimited, NoAccessGrantError, policy, type Actor, type Caller } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import { ApiKeyNotFoundError } from './errors.ts';
import { checkFields, createRawKey, creatorOf, hashKey, isKeyId, scopesOf } from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import { MAX_PAGE_SIZE, type ApiKey, type ApiKeyList, type ApiKeyListQuery, type CreatedApiKey, type NewApiKey } from './schemas.ts';

export interface ApiKeyService {
  /** Makes a key; its raw form is in this answer and nowhere else. @throws api_key_fields_invalid, no_access_grant */
  create(actor: Actor, fields: NewApiKey): Promise<CreatedApiKey>;
  /** Lists, the newest first, all keys for a superadmin, else the read keys of the account that the caller acts for. */
  list(caller: Caller, query: ApiKeyListQuery): Promise<ApiKeyList>;
  /** Deletes a key; from then on no replica takes it. @throws api_key_not_found, also where the caller may not see the key */
  revoke(actor: Actor, id: string): Promise<void>;
}

export function createApiKeyService({ database, salt, categories, accountHasGrant, now }: Required<ApiKeysOptions>): ApiKeyService {
  return {
    async create(actor, newKey) {
      const fields = checkFields(newKey, categories);
      const { owner } = fields;
      enforce(owner ? policy.createReadKey(actor.caller, owner) : policy.createUploadKey(actor.caller));

      const { rawKey, shortId } = createRawKey();
      const hash = hashKey(rawKey, salt);
      const key = { _id: randomUUID(), ...fields, shortId, createdAt: now().toISOString(), ...creatorOf(actor.caller) };
      await database.transaction(async (tx) => {
        if (owner && !await accountHasGrant(owner, tx)) {
          throw new NoAccessGrantError('The owner of a read key needs an access grant for this registry: let a superadmin grant it first.');
        }
        await apiKeyRepository(tx).insert(key, hash);
        await appendAudit(tx, actor, { action: 'api-key.create', targetType: 'api-key', targetId: key._id, details: auditDetails(key) });
      });
      return { ...key, key: rawKey };
    },

    list(caller, { type, skip = 0, size = MAX_PAGE_SIZE }) {
      enforce(policy.listKeys(caller));
      const owner = isUnlimited(caller) ? undefined : accountOf(caller);
      return apiKeyRepository(database.db).list({ ...(type && { type }), ...(owner && { owner }) }, { skip, size: Math.min(size, MAX_PAGE_SIZE) });
    },

    async revoke(actor, id) {
      enforce(policy.listKeys(actor.caller));
      if (!isKeyId(id)) throw notFound();
      await database.transaction(async (tx) => {
        const keys = apiKeyRepository(tx);
        const key = await keys.find(id);
        if (!key || !isListed(actor.caller, key)) throw notFound();
        enforce(policy.revokeKey(actor.caller, key.owner));
        if (!await keys.delete(id)) throw notFound();
        await appendAudit(tx, actor, { action: 'api-key.revoke', targetType: 'api-key', targetId: id, details: auditDetails(key) });
      });
    },
  };
}

/** What `list` shows, asked of one key. */
function isListed(caller: Caller, { owner }: ApiKey): boolean {
  const account = accountOf(caller);
  return isUnlimited(caller) || (owner !== undefined && account !== undefined && accountMatches(account, owner));
}

function notFound() { return new ApiKeyNotFoundError('There is no key with this id: it may have been revoked already.'); }

function auditDetails({ type, name, shortId, owner, expiresAt, ...rest }: ApiKey): Record<string, unknown> {
  return { type, name, shortId, ...scopesOf(rest), owner, expiresAt };
}
