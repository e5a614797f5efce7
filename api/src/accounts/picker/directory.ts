// Searches accounts through the identity service with the user's cookie, so that it decides what the user may find.

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { traceHeaders } from '../../tracing/index.ts';
import { DirectoryUnavailableError } from '../errors.ts';
import { MAX_RESULTS_PER_KIND, type FindAccounts } from './schemas.ts';

const TIMEOUT_MS = 5000;

const NamedSchema = Type.Object({ id: Type.String({ minLength: 1 }), name: Type.Optional(Type.String()) });
const UsersSchema = Type.Object({
  results: Type.Array(Type.Object({ ...NamedSchema.properties, email: Type.Optional(Type.String()) })),
});
const OrganizationsSchema = Type.Object({
  results: Type.Array(Type.Object({ ...NamedSchema.properties, departments: Type.Optional(Type.Array(NamedSchema)) })),
});

/**
 * Creates the search, which throws directory_unavailable.
 * @param directoryUrl URL at which this server reaches the identity service, without a trailing slash
 */
export function findDirectoryAccounts(directoryUrl: string): FindAccounts {
  return async (q, cookie) => {
    const [organizations, users] = await Promise.all([
      search(directoryUrl, 'organizations', OrganizationsSchema, q, cookie),
      search(directoryUrl, 'users', UsersSchema, q, cookie),
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

async function search<Schema extends TSchema>(
  directoryUrl: string,
  kind: string,
  schema: Schema,
  q: string,
  cookie = '',
): Promise<Static<Schema>> {
  const query = new URLSearchParams({ ...(q && { q }), size: String(MAX_RESULTS_PER_KIND) });
  try {
    const response = await fetch(`${directoryUrl}/api/${kind}?${query.toString()}`, {
      headers: { cookie, accept: 'application/json', ...traceHeaders() },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body: unknown = await response.json();
    if (!response.ok || !Value.Check(schema, body))
      throw new Error(`unusable response to the search for ${kind}: ${response.status}`);
    return body;
  } catch (error) {
    throw new DirectoryUnavailableError(
      'The identity service could not be searched: try again, or enter the ID of the account.',
      { cause: error },
    );
  }
}
