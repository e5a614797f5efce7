// Conversions shared by the sub-folders: dates and roles of better-auth, searches, pages.

import { DEFAULT_PAGE_SIZE, type PageQuery } from './schemas.ts';

/** ID of the OpenID provider in better-auth and in the callback path. */
export const OIDC_PROVIDER_ID = 'oidc';

/** Formats a date from better-auth's tables: a `Date` on PostgreSQL, ISO text on SQLite. */
export function toIso(date: Date | string): string {
  return new Date(date).toISOString();
}

/** Normalises an e-mail address to the form that is stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

/**
 * Turns a search into one lower-case LIKE pattern per word, escaped with `\`. Each non-ASCII character matches any
 * character, because the databases do not both convert its case.
 */
export function searchPatterns(query: string | undefined): string[] {
  const words = (query ?? '')
    .normalize('NFC')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return words.map((word) => `%${word.replace(/[\\%_]/g, (special) => `\\${special}`).replace(/[^ -~]/gu, '_')}%`);
}

/** Returns offset and limit of a page. */
export function pageBounds({ skip = 0, size = DEFAULT_PAGE_SIZE }: PageQuery): { offset: number; limit: number } {
  return { offset: skip, limit: size };
}

/** Returns the URL at which a user sets a new password. The token is in the fragment, which is in no log. */
export function passwordLink(publicUrl: string, token: string): string {
  return `${publicUrl}/reset-password#token=${encodeURIComponent(token)}`;
}

/** Tells whether a role of better-auth (a comma-separated list) includes superadmin. */
export function isSuperadmin(role: string | null): boolean {
  return rolesOf(role).includes('admin');
}

/** Tells whether a role in an organisation administers it; better-auth calls the founder `owner`. */
export function administersOrganization(role: string | null): boolean {
  return rolesOf(role).some((name) => name === 'admin' || name === 'owner');
}

function rolesOf(role: string | null): string[] {
  return role === null ? [] : role.split(',');
}
