// What an OpenID provider says of a user beyond their name: organisations, and whether they are a superadmin.

import { Value } from 'typebox/value';
import { OrganizationIdSchema } from '../schemas.ts';

/** Which claims count, by their names; a dot leads into an object. */
export interface ClaimNames {
  /** Undefined: memberships are managed here. */
  organizations?: string | undefined;
  /** Undefined: superadmins are made here. */
  admin?: string | undefined;
  /** What the claim must be, or hold, to make a superadmin. Undefined: `true`. */
  adminValue?: string | undefined;
}

export interface ClaimedOrganization {
  id: string;
  name: string;
  role: 'admin' | 'member';
}

/** Undefined stands for what the claims do not decide. */
export interface Claimed {
  organizations: ClaimedOrganization[] | undefined;
  isAdmin: boolean | undefined;
}

/**
 * Reads what counts of a profile. Organisations are a list, or one alone, of ids (`"acme"`), ids with a role
 * (`"acme:admin"`), or objects (`{ id, name?, role? }`); what is none of these, or no id of an organisation, is passed
 * over. /
 */
export function readClaims(profile: Record<string, unknown>, names: ClaimNames): Claimed {
  return {
    organizations:
      names.organizations === undefined ? undefined : organizationsIn(claimOf(profile, names.organizations)),
    isAdmin:
      names.admin === undefined
        ? undefined
        : listOf(claimOf(profile, names.admin)).some((value) => String(value) === (names.adminValue ?? 'true')),
  };
}

/** A name with dots may be the whole name of a claim: `https://example.org/groups`. */
function claimOf(profile: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(profile, name)) return profile[name];
  let value: unknown = profile;
  for (const part of name.split('.')) value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  return value;
}

function organizationsIn(claim: unknown): ClaimedOrganization[] {
  const byId = new Map<string, ClaimedOrganization>();
  for (const item of listOf(claim)) {
    const organization = toOrganization(item);
    if (organization && byId.get(organization.id)?.role !== 'admin') byId.set(organization.id, organization);
  }
  return [...byId.values()];
}

function toOrganization(item: unknown): ClaimedOrganization | undefined {
  const [id, role, name] = isObject(item)
    ? [item['id'], item['role'], item['name']]
    : typeof item === 'string'
      ? item.split(':')
      : [];
  if (!Value.Check(OrganizationIdSchema, id)) return undefined;
  return {
    id,
    name: typeof name === 'string' && name.trim() !== '' ? name.trim() : id,
    role: role === 'admin' ? 'admin' : 'member',
  };
}

function listOf(claim: unknown): unknown[] {
  if (claim === undefined || claim === null) return [];
  return Array.isArray(claim) ? claim : [claim];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
