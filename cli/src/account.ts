import { UsageError } from './command.ts';

export interface AccountText {
  type: 'user' | 'organization';
  id: string;
  department?: string;
}

/** Parses `organization:acme`, `organization:acme/geo` or `user:<id>`. */
export function parseAccount(text: string): AccountText {
  const [, type, id = '', department] = /^(user|organization):([^/]+)(?:\/(.+))?$/.exec(text) ?? [];
  if (type === undefined || (type === 'user' && department !== undefined))
    throw new UsageError(`invalid account ${text}: expected organization:acme, organization:acme/geo or user:ID`);
  return { type: type as AccountText['type'], id, ...(department !== undefined && { department }) };
}

/** Formats an account as parseAccount reads it. */
export function formatAccount({ type, id, department }: AccountText): string {
  return `${type}:${id}${department ? `/${department}` : ''}`;
}
