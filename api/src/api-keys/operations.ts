// Raw form of keys and validation of their fields, as pure functions.

import { createHmac, randomBytes } from 'node:crypto';
import { normaliseAccount, type Caller, type KeyScopes } from '../access/index.ts';
import type { FieldError } from '../errors.ts';
import { ApiKeyFieldsError } from './errors.ts';
import type { ApiKey, NewApiKey } from './schemas.ts';

const SHORT_ID_BYTES = 4;
const SECRET_BYTES = 32;
const RAW_KEY = /^reg_[A-Za-z0-9]{8}_[0-9a-f]{64}$/;
const KEY_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INVALID_TIME = 'must be an existing date and time, without leap seconds';
const SCOPES = ['allowedName', 'allowedNamePrefix', 'allowedPackageName', 'allowedCategory'] as const;

/** Creates a raw key, `reg_<8 characters>_<64 hexadecimal digits>`, and its `shortId`, the eight characters. */
export function createRawKey(): { rawKey: string; shortId: string } {
  const shortId = randomBytes(SHORT_ID_BYTES).toString('hex');
  return { rawKey: `reg_${shortId}_${randomBytes(SECRET_BYTES).toString('hex')}`, shortId };
}

/** Tells whether a text has the form of a raw key. */
export function isRawKey(text: string): boolean {
  return RAW_KEY.test(text);
}

/** Tells whether a text has the form of a key's `_id`; PostgreSQL rejects some other texts, such as those with NUL. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Returns the stored form of a key: HMAC-SHA-512 under the salt, in hexadecimal. */
export function hashKey(rawKey: string, salt: string): string {
  return createHmac('sha512', salt).update(rawKey).digest('hex');
}

/** Tells whether a key has expired; `expiresAt` itself is no longer valid. */
export function isExpired({ expiresAt }: Pick<ApiKey, 'expiresAt'>, now: Date): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();
}

/** Returns the scopes of a key, without its other fields. */
export function scopesOf(key: KeyScopes): KeyScopes {
  return Object.fromEntries(SCOPES.flatMap((scope) => (key[scope] === undefined ? [] : [[scope, key[scope]]])));
}

/**
 * Returns what the creator of the scopes should check, in sentences: a prefix that ends within a word also covers
 * other artefacts. Nothing if there is nothing to check.
 */
export function scopeWarnings({ allowedNamePrefix: prefix }: KeyScopes): { warnings?: string[] } {
  const [end] = /[\p{L}\p{N}]$/u.exec(prefix ?? '') ?? [];
  if (prefix === undefined || end === undefined) return {};
  const longer = `${prefix}${/\p{N}/u.test(end) ? '0' : 's'}`;
  return {
    warnings: [
      `The prefix ${prefix} also covers longer names such as ${longer}: end it with a separator such as @, / or -, ` +
        'or limit the uploads to one artefact instead.',
    ],
  };
}

/** Returns the `createdBy` of a key: the user, or nothing for an internal service. */
export function creatorOf(caller: Caller): Pick<ApiKey, 'createdBy'> {
  return caller.kind === 'user' ? { createdBy: { userId: caller.user.id, userName: caller.user.name } } : {};
}

/**
 * Validates what the schema cannot, and returns the fields with `expiresAt` in UTC with milliseconds and the owner as
 * it is stored.
 * @throws api_key_fields_invalid with one entry per field
 */
export function checkFields(fields: NewApiKey, categories: readonly string[]): NewApiKey {
  const expiresAt = fields.expiresAt === undefined ? undefined : new Date(fields.expiresAt);
  const errors = [...(fields.type === 'read' ? readKeyErrors(fields) : uploadKeyErrors(fields, categories))];
  if (expiresAt && Number.isNaN(expiresAt.getTime())) errors.push({ path: '/expiresAt', message: INVALID_TIME });
  if (errors.length > 0)
    throw new ApiKeyFieldsError('The key cannot be created from these fields: see errors.', { errors });
  return {
    ...fields,
    ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
    ...(fields.owner && { owner: normaliseAccount(fields.owner) }),
  };
}

/** Normalises an expiry to UTC with milliseconds. @throws api_key_fields_invalid */
export function parseExpiry(text: string): string {
  const expiry = new Date(text);
  if (Number.isNaN(expiry.getTime()))
    throw new ApiKeyFieldsError('The key cannot expire at this time: see errors.', {
      errors: [{ path: '/expiresAt', message: INVALID_TIME }],
    });
  return expiry.toISOString();
}

function readKeyErrors({ owner, ...fields }: NewApiKey): FieldError[] {
  const errors = Object.keys(scopesOf(fields)).map((scope) => ({
    path: `/${scope}`,
    message: 'is a scope, and only upload keys have scopes',
  }));
  if (!owner) errors.push({ path: '/owner', message: 'must name the account that the read key belongs to' });
  return errors;
}

function uploadKeyErrors({ owner, allowedCategory }: NewApiKey, categories: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  if (owner) errors.push({ path: '/owner', message: 'must be left out: only read keys belong to an account' });
  if (allowedCategory !== undefined && !categories.includes(allowedCategory))
    errors.push({ path: '/allowedCategory', message: `must be one of ${categories.join(', ')}` });
  return errors;
}
