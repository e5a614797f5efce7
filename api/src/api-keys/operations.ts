// The raw form of keys and the rules of their fields, as pure functions.

import { createHmac, randomBytes } from 'node:crypto';
import type { Caller, KeyScopes } from '../access/index.ts';
import type { FieldError } from '../errors.ts';
import { ApiKeyFieldsError } from './errors.ts';
import type { ApiKey, NewApiKey } from './schemas.ts';

const SHORT_ID_BYTES = 4;
const SECRET_BYTES = 32;
const RAW_KEY = /^reg_[A-Za-z0-9]{8}_[0-9a-f]{64}$/;
const KEY_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NO_MOMENT = 'must be a moment that exists on the clock, without leap seconds';
const SCOPES = ['allowedName', 'allowedNamePrefix', 'allowedPackageName', 'allowedCategory'] as const;

/** Makes a new raw key, `reg_<8 characters>_<64 hexadecimal digits>`, and its `shortId`, `reg_<8 characters>`. */
export function createRawKey(): { rawKey: string; shortId: string } {
  const shortId = `reg_${randomBytes(SHORT_ID_BYTES).toString('hex')}`;
  return { rawKey: `${shortId}_${randomBytes(SECRET_BYTES).toString('hex')}`, shortId };
}

/** Tells whether a text has the form of a key at all. */
export function isRawKey(text: string): boolean {
  return RAW_KEY.test(text);
}

/** Tells whether a text has the form of a key's `_id`; PostgreSQL would refuse to look for some that have not. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Returns the form in which a key is stored: HMAC-SHA-512 under the salt, hexadecimal. */
export function hashKey(rawKey: string, salt: string): string {
  return createHmac('sha512', salt).update(rawKey).digest('hex');
}

/** Tells whether a key has ceased to hold; it has at the very moment of `expiresAt`. */
export function isExpired({ expiresAt }: Pick<ApiKey, 'expiresAt'>, now: Date): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();
}

/** Returns the scopes that a key carries. */
export function scopesOf(key: KeyScopes): KeyScopes {
  return Object.fromEntries(SCOPES.flatMap((scope) => (key[scope] === undefined ? [] : [[scope, key[scope]]])));
}

/** Returns who made a key, as it stands on it. */
export function creatorOf(caller: Caller): Pick<ApiKey, 'createdBy'> {
  return caller.kind === 'user' ? { createdBy: { userId: caller.user.id, userName: caller.user.name } } : {};
}

/**
 * Checks what a schema cannot tell, and returns the fields with `expiresAt` in UTC with milliseconds.
 * @throws api_key_fields_invalid with one line for each field
 */
export function checkFields(fields: NewApiKey, categories: readonly string[]): NewApiKey {
  const expiresAt = fields.expiresAt === undefined ? undefined : new Date(fields.expiresAt);
  const errors = [...(fields.type === 'read' ? readKeyErrors(fields) : uploadKeyErrors(fields, categories))];
  if (expiresAt && Number.isNaN(expiresAt.getTime())) errors.push({ path: '/expiresAt', message: NO_MOMENT });
  if (errors.length > 0)
    throw new ApiKeyFieldsError('A key cannot be made from these fields: see errors.', { errors });
  return { ...fields, ...(expiresAt && { expiresAt: expiresAt.toISOString() }) };
}

/** Brings a moment to UTC with milliseconds. @throws api_key_fields_invalid */
export function toMoment(text: string): string {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime()))
    throw new ApiKeyFieldsError('A key cannot end at this moment: see errors.', {
      errors: [{ path: '/expiresAt', message: NO_MOMENT }],
    });
  return moment.toISOString();
}

function readKeyErrors({ owner, ...fields }: NewApiKey): FieldError[] {
  const errors = Object.keys(scopesOf(fields)).map((scope) => ({
    path: `/${scope}`,
    message: 'is a scope, and only upload keys have scopes',
  }));
  if (!owner) errors.push({ path: '/owner', message: 'must name the account that the read key belongs to' });
  if (owner?.type === 'user' && owner.department !== undefined)
    errors.push({ path: '/owner/department', message: 'must be left out: a user has no departments' });
  return errors;
}

function uploadKeyErrors({ owner, allowedCategory }: NewApiKey, categories: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  if (owner) errors.push({ path: '/owner', message: 'must be left out: only read keys belong to an account' });
  if (allowedCategory !== undefined && !categories.includes(allowedCategory))
    errors.push({ path: '/allowedCategory', message: `must be one of ${categories.join(', ')}` });
  return errors;
}
