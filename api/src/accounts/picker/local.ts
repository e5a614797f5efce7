import type { Executor } from '../../db/index.ts';
import { listDepartments, listOrganizations } from '../organizations/repository.ts';
import { listUsers } from '../users/repository.ts';
import { MAX_RESULTS_PER_KIND, type FindAccounts } from './schemas.ts';

/** Creates the search among the registry's own users and organisations. */
export function findLocalAccounts(executor: Executor): FindAccounts {
  return async (q) => {
    const organizations = await listOrganizations(executor, { q, size: MAX_RESULTS_PER_KIND });
    const users = await listUsers(executor, { q, size: MAX_RESULTS_PER_KIND });
    return [
      ...(await Promise.all(
        organizations.results.map(async ({ id, name }) => ({
          type: 'organization' as const,
          id,
          name,
          departments: await listDepartments(executor, id),
        })),
      )),
      ...users.results.map(({ id, name, email, emailVerified }) => ({
        type: 'user' as const,
        id,
        name,
        email,
        emailVerified: Boolean(emailVerified),
      })),
    ];
  };
}
