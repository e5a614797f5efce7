// Making, listing and revoking keys. Using one is authenticate.ts.

import { randomUUID } from 'node:crypto';
import {
  accountMatches,
  accountOf,
  enforce,
  isUnlimited,
  NoAccessGrantError,
  policy,
  type Actor,
  type Caller,
} from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import { ApiKeyFieldsError, ApiKeyNotFoundError } from './errors.ts';
import {
  checkFields,
  createRawKey,
  creatorOf,
  hashKey,
  isExpired,
  isKeyId,
  scopesOf,
  toMoment,
} from './operations.ts';
import type { ApiKeysOptions } from './options.ts';
import { apiKeyRepository } from './repository.ts';
import {
  DEFAULT_OVERLAP_SECONDS,
  MAX_PAGE_SIZE,
  type ApiKey,
  type ApiKeyList,
  type ApiKeyListQuery,
  type CreatedApiKey,
  type NewApiKey,
  type Rotation,
} from './schemas.ts';

export interface ApiKeyService {
  /** Makes a key; its raw form is in this answer and nowhere else. @throws api_key_fields_invalid, no_access_grant */
  create(actor: Actor, fields: NewApiKey): Promise<CreatedApiKey>;
  /**
   * Lists, the newest first, all keys for a superadmin, else the read keys of the account that the caller acts for.
   */
  list(caller: Caller, query: ApiKeyListQuery): Promise<ApiKeyList>;
  /**
   * Gives a key a new raw form, which is in this answer and nowhere else; the present one holds for a while longer,
   * one that was replaced before no more.
   * @throws api_key_not_found, api_key_fields_invalid for a key that has ended and is given no new end /
   */
  rotate(actor: Actor, id: string, rotation: Rotation): Promise<CreatedApiKey>;
  /**
   * Deletes a key; from then on no replica takes it.
   * @throws api_key_not_found, also where the caller may not see the key
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
      enforce(owner ? policy.createReadKey(actor.caller, owner) : policy.createUploadKey(actor.caller));

      const { rawKey, shortId } = createRawKey();
      const hash = hashKey(rawKey, salt);
      const key = {
        _id: randomUUID(),
        ...fields,
        shortId,
        createdAt: now().toISOString(),
        ...creatorOf(actor.caller),
      };
      await database.transaction(async (tx) => {
        if (owner && !(await accountHasGrant(owner, tx))) {
          throw new NoAccessGrantError(
            'The owner of a read key needs an access grant for this registry: let a superadmin grant it first.',
          );
        }
        await apiKeyRepository(tx).insert(key, hash);
        await appendAudit(tx, actor, {
          action: 'api-key.create',
          targetType: 'api-key',
          targetId: key._id,
          details: auditDetails(key),
        });
      });
      return { ...key, key: rawKey };
    },

    list(caller, { type, skip = 0, size = MAX_PAGE_SIZE }) {
      enforce(policy.listKeys(caller));
      const owner = isUnlimited(caller) ? undefined : accountOf(caller);
      return apiKeyRepository(database.db).list(
        { ...(type && { type }), ...(owner && { owner }) },
        { skip, size: Math.min(size, MAX_PAGE_SIZE) },
      );
    },

    async rotate(actor, id, { overlapSeconds = DEFAULT_OVERLAP_SECONDS, expiresAt }) {
      enforce(policy.listKeys(actor.caller));
      const end = typeof expiresAt === 'string' ? toMoment(expiresAt) : expiresAt;
      const { rawKey, shortId } = createRawKey();
      const at = now();
      const key = await database.transaction(async (tx) => {
        const keys = apiKeyRepository(tx);
        const present = await findListed(keys, actor.caller, id);
        enforce(policy.revokeKey(actor.caller, present.owner));
        if (end === undefined && isExpired(present, at))
          throw new ApiKeyFieldsError('This key has ended: say when the new one ends.', {
            errors: [{ path: '/expiresAt', message: 'must be given, since the key has ended' }],
          });
        const previousUntil = new Date(at.getTime() + overlapSeconds * 1000).toISOString();
        const rotated = await keys.rotate(id, {
          hash: hashKey(rawKey, salt),
          shortId,
          at: at.toISOString(),
          previousUntil,
          expiresAt: end,
        });
        if (!rotated) throw notFound();
        await appendAudit(tx, actor, {
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
      enforce(policy.listKeys(actor.caller));
      await database.transaction(async (tx) => {
        const keys = apiKeyRepository(tx);
        const key = await findListed(keys, actor.caller, id);
        enforce(policy.revokeKey(actor.caller, key.owner));
        if (!(await keys.delete(id))) throw notFound();
        await appendAudit(tx, actor, {
          action: 'api-key.revoke',
          targetType: 'api-key',
          targetId: id,
          details: auditDetails(key),
        });
      });
    },
  };
}

/** Finds a key that `list` shows to the caller. @throws api_key_not_found */
async function findListed(keys: ReturnType<typeof apiKeyRepository>, caller: Caller, id: string): Promise<ApiKey> {
  const key = isKeyId(id) ? await keys.find(id) : undefined;
  if (!key || !isListed(caller, key)) throw notFound();
  return key;
}

/** What `list` shows, asked of one key. */
function isListed(caller: Caller, { owner }: ApiKey): boolean {
  const account = accountOf(caller);
  return isUnlimited(caller) || (owner !== undefined && account !== undefined && accountMatches(account, owner));
}

function notFound() {
  return new ApiKeyNotFoundError('There is no key with this id: it may have been revoked already.');
}

function auditDetails({ type, name, shortId, owner, expiresAt, ...rest }: ApiKey): Record<string, unknown> {
  return { type, name, shortId, ...scopesOf(rest), owner, expiresAt };
}
