// Decides whose account a person from the OpenID provider gets. Pure: admission.ts reads and writes the users.

import { normalizeEmail } from '../operations.ts';
import { MAX_EMAIL_LENGTH, MAX_NAME_LENGTH } from '../schemas.ts';
import { readClaim } from './operations.ts';

/** A person as their provider describes them. */
export interface Identity {
  /** Issuer and subject: `https://login.example.org 248289761001`. Unique, and the same at each sign-in. */
  key: string;
  /** Normalised. */
  email: string | undefined;
  /** Whether the provider has verified that the address is theirs. */
  isVerified: boolean;
  name: string | undefined;
}

/** Codes with which the callback refuses a person; the sign-in page explains them. */
export const REFUSALS = [
  'email_not_found',
  'email_not_verified',
  'email_of_another_user',
  'another_subject',
  'user_disabled',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** A user who may be the person. */
export interface Candidate {
  id: string;
  /** Whether the owner of the address has proved it, or a superadmin has vouched for it. */
  isProved: boolean;
  isDisabled: boolean;
  /** Keys of the identities that are linked to the user. */
  keys: readonly string[];
}

/**
 * `sign-in` changes nothing, `update` copies name and address, `link` also adds the identity and ends all sessions,
 * `take-over` also removes what somebody else may have set up.
 */
export type Decision =
  | { action: 'refuse'; refusal: Refusal }
  | { action: 'create' }
  | { action: 'sign-in' | 'update'; userId: string }
  | LinkDecision;

export interface LinkDecision {
  action: 'link' | 'take-over';
  userId: string;
}

/** Issuer of identities from before issuers were stored. */
const UNKNOWN_ISSUER = 'unknown';

/** Some providers send text, and Microsoft's `xms_edov` is a number. */
const TRUE: readonly unknown[] = [true, 'true', 1, '1'];
const ADDRESS = /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u;

/**
 * Reads the claims of a person.
 * @param verifiedClaim name of the claim that says that the address is verified
 * @returns undefined without a subject
 */
export function readIdentity(
  profile: Record<string, unknown>,
  issuer: string,
  verifiedClaim = 'email_verified',
): Identity | undefined {
  const { sub, email, name } = profile;
  const key = keyOf(issuer, sub);
  if (key === undefined) return undefined;
  return {
    key,
    email: isAddress(email) ? normalizeEmail(email) : undefined,
    isVerified: TRUE.includes(readClaim(profile, verifiedClaim)),
    name: typeof name === 'string' ? toName(name) : undefined,
  };
}

/** @returns undefined unless `subject` is a subject */
export function keyOf(issuer: string, subject: unknown): string | undefined {
  return typeof subject === 'string' && subject !== '' ? `${issuer} ${subject}` : undefined;
}

/**
 * @param known the user to whom the identity is linked
 * @param holder the user who has the address
 */
export function decide(identity: Identity, known: Candidate | undefined, holder: Candidate | undefined): Decision {
  const { key, email, isVerified } = identity;
  if (known) {
    if (known.isDisabled) return refuse('user_disabled');
    if (email === undefined || !isVerified) return { action: 'sign-in', userId: known.id };
    if (holder && holder.id !== known.id) return refuse('email_of_another_user');
    return { action: known.isProved ? 'update' : 'take-over', userId: known.id };
  }
  if (email === undefined) return refuse('email_not_found');
  if (!isVerified) return refuse('email_not_verified');
  if (!holder) return { action: 'create' };
  if (holder.isDisabled) return refuse('user_disabled');
  if (!holder.isProved) return { action: 'take-over', userId: holder.id };
  if (hasAnotherSubject(holder.keys, key)) return refuse('another_subject');
  return { action: 'link', userId: holder.id };
}

/** Returns the keys whose issuer is unknown; a link with an issuer replaces them. */
export function keysOfUnknownIssuer(keys: readonly string[]): string[] {
  return keys.filter((key) => split(key)[0] === UNKNOWN_ISSUER);
}

/** Tells whether one of the keys is another person of the same issuer; an unknown issuer may be the same. */
function hasAnotherSubject(keys: readonly string[], key: string): boolean {
  const [issuer, subject] = split(key);
  const ofUnknown = keysOfUnknownIssuer(keys);
  return (
    keys.some((other) => split(other)[0] === issuer) ||
    (ofUnknown.length > 0 && !ofUnknown.includes(`${UNKNOWN_ISSUER} ${subject}`))
  );
}

function split(key: string): [issuer: string, subject: string] {
  const end = key.indexOf(' ');
  return [key.slice(0, end), key.slice(end + 1)];
}

function refuse(refusal: Refusal): Decision {
  return { action: 'refuse', refusal };
}

function isAddress(email: unknown): email is string {
  return typeof email === 'string' && email.length <= MAX_EMAIL_LENGTH && ADDRESS.test(email.trim());
}

function toName(name: string): string | undefined {
  const line = name
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_NAME_LENGTH);
  return line === '' ? undefined : line;
}
