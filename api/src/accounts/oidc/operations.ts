// Reads the claims of an OpenID provider that decide a user's organisations and superadmin role.

import { Value } from 'typebox/value';
import { quote } from '../../errors.ts';
import { OrganizationIdSchema } from '../schemas.ts';

const MAX_SHOWN_ITEMS = 10;

/** Names of the claims; a dot separates the names of nested objects. */
export interface ClaimNames {
  /** Says that the e-mail address is verified. Default `email_verified`. */
  emailVerified?: string | undefined;
  /** Undefined: the registry manages memberships. */
  organizations?: string | undefined;
  /** Undefined: the registry manages superadmins. */
  admin?: string | undefined;
  /** Value that the claim must equal or contain for a superadmin. Default `true`. */
  adminValue?: string | undefined;
}

export interface ClaimedOrganization {
  id: string;
  name: string;
  role: 'admin' | 'member';
}

/** Access that the claims decide; undefined where they do not decide it. */
export interface ClaimedAccess {
  organizations: ClaimedOrganization[] | undefined;
  /** What was passed over in the claim of the organisations, in one sentence; undefined if it was nothing. */
  ignored?: string | undefined;
  isAdmin: boolean | undefined;
}

/**
 * Reads the claims of a profile. Organisations are a list or a single value of IDs (`"acme"`), IDs with a role
 * (`"acme:admin"`), or objects (`{ id, name?, role? }`). An ID may begin with a slash, like the paths of Keycloak's
 * groups. Anything else, and invalid organisation IDs, is ignored.
 */
export function readClaims(profile: Record<string, unknown>, names: ClaimNames): ClaimedAccess {
  const claim = names.organizations === undefined ? undefined : readClaim(profile, names.organizations);
  return {
    organizations: names.organizations === undefined ? undefined : organizationsIn(claim),
    ignored: names.organizations === undefined ? undefined : describeIgnored(names.organizations, claim),
    isAdmin:
      names.admin === undefined
        ? undefined
        : asList(readClaim(profile, names.admin)).some((value) => String(value) === (names.adminValue ?? 'true')),
  };
}

/** Reads a claim by its full name first, since names may contain dots: `https://example.org/groups`. */
export function readClaim(profile: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(profile, name)) return profile[name];
  let value: unknown = profile;
  for (const part of name.split('.')) value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  return value;
}

function organizationsIn(claim: unknown): ClaimedOrganization[] {
  const byId = new Map<string, ClaimedOrganization>();
  for (const item of asList(claim)) {
    const organization = toOrganization(item);
    if (organization && byId.get(organization.id)?.role !== 'admin') byId.set(organization.id, organization);
  }
  return [...byId.values()];
}

function describeIgnored(name: string, claim: unknown): string | undefined {
  if (claim === undefined || claim === null)
    return `the profile of the OpenID provider has no claim ${name}: the user has no organisations`;
  const ignored = asList(claim).filter((item) => !toOrganization(item));
  if (ignored.length === 0) return undefined;
  const shown = ignored.slice(0, MAX_SHOWN_ITEMS).map(describeItem);
  const more = ignored.length > shown.length ? ` and ${ignored.length - shown.length} more` : '';
  return (
    `the claim ${name} of the OpenID provider has values that are not IDs of organisations, and are passed over: ` +
    `${shown.join(', ')}${more}`
  );
}

function describeItem(item: unknown): string {
  const text = isObject(item) ? item['id'] : item;
  return typeof text === 'string' ? quote(text) : typeof text;
}

function toOrganization(item: unknown): ClaimedOrganization | undefined {
  const [path, role, name] = isObject(item)
    ? [item['id'], item['role'], item['name']]
    : typeof item === 'string'
      ? item.split(':')
      : [];
  const id = typeof path === 'string' ? path.replace(/^\//, '') : path;
  if (!Value.Check(OrganizationIdSchema, id)) return undefined;
  return {
    id,
    name: typeof name === 'string' && name.trim() !== '' ? name.trim() : id,
    role: role === 'admin' ? 'admin' : 'member',
  };
}

function asList(claim: unknown): unknown[] {
  if (claim === undefined || claim === null) return [];
  return Array.isArray(claim) ? claim : [claim];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
