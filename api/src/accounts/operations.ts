// What the sub-folders share: how better-auth's values, searches and pages become Berth's.

import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageQuery } from './schemas.ts';

/** Formats a date of better-auth's tables, which is a `Date` on PostgreSQL and ISO text on SQLite. */
export function toIso(date: Date | string): string {
  return new Date(date).toISOString();
}

/** Brings an e-mail address to the one form that is stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

/**
 * Turns a search into one LIKE pattern for each word, in lower case; `\` escapes. Letters beyond ASCII match any
 * one character, because neither database knows their upper case.
 */
export function searchPatterns(query: string | undefined): string[] {
  const words = (query ?? '')
    .normalize('NFC')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return words.map((word) => `%${word.replace(/[\\%_]/g, (special) => `\\${special}`).replace(/[^ -~]/gu, '_')}%`);
}

/** Bounds of the page that is asked for; larger ones than MAX_PAGE_SIZE are cut. */
export function pageBounds({ skip = 0, size = DEFAULT_PAGE_SIZE }: PageQuery): { offset: number; limit: number } {
  return { offset: skip, limit: Math.min(size, MAX_PAGE_SIZE) };
}

/** Where a user sets another password with a token. */
export function passwordLink(publicUrl: string, token: string): string {
  return `${publicUrl}/reset-password?token=${encodeURIComponent(token)}`;
}

/** Tells whether a role of better-auth (several are joined by commas) makes a superadmin. */
export function isSuperadmin(role: string | null): boolean {
  return rolesOf(role).includes('admin');
}

/** Tells whether a role inside an organisation administers it; `owner` is better-auth's word for its founder. */
export function administersOrganization(role: string | null): boolean {
  return rolesOf(role).some((name) => name === 'admin' || name === 'owner');
}

function rolesOf(role: string | null): string[] {
  return role === null ? [] : role.split(',');
}
