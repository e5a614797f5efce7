// The identity service's own search, asked in the name of whoever picks: it decides what they may find.

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { DirectoryUnavailableError } from '../errors.ts';
import { MOST_FOUND, type FindAccounts } from './schemas.ts';

const TIMEOUT_MS = 5000;

const NamedSchema = Type.Object({ id: Type.String({ minLength: 1 }), name: Type.Optional(Type.String()) });
const UsersSchema = Type.Object({
  results: Type.Array(Type.Object({ ...NamedSchema.properties, email: Type.Optional(Type.String()) })),
});
const OrganizationsSchema = Type.Object({
  results: Type.Array(Type.Object({ ...NamedSchema.properties, departments: Type.Optional(Type.Array(NamedSchema)) })),
});

/**
 * @param directoryUrl where this server reaches it, without a trailing slash. The search throws directory_unavailable
 */
export function findDirectoryAccounts(directoryUrl: string): FindAccounts {
  return async (q, cookie) => {
    const [organizations, users] = await Promise.all([
      ask(directoryUrl, 'organizations', OrganizationsSchema, q, cookie),
      ask(directoryUrl, 'users', UsersSchema, q, cookie),
    ]);
    return [
      ...organizations.results.map(({ id, name = id, departments = [] }) => ({
        type: 'organization' as const,
        id,
        name,
        departments: departments.map((it) => ({ id: it.id, name: it.name ?? it.id })),
      })),
      ...users.results.map(({ id, name = id, email }) => ({
        type: 'user' as const,
        id,
        name,
        ...(email !== undefined && { email }),
      })),
    ];
  };
}

async function ask<Schema extends TSchema>(
  directoryUrl: string,
  kind: string,
  schema: Schema,
  q: string,
  cookie = '',
): Promise<Static<Schema>> {
  const query = new URLSearchParams({ ...(q && { q }), size: String(MOST_FOUND) });
  try {
    const response = await fetch(`${directoryUrl}/api/${kind}?${query.toString()}`, {
      headers: { cookie, accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer: unknown = await response.json();
    if (!response.ok || !Value.Check(schema, answer)) throw new Error(`${kind} were answered with ${response.status}`);
    return answer;
  } catch (error) {
    throw new DirectoryUnavailableError(
      'The identity service could not be searched: try again, or give the id of the account.',
      { cause: error },
    );
  }
}
