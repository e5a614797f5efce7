// better-auth signs in only addresses whose domain has a dot, and the first superadmin of an embedded start is
// admin@localhost: such an address passes its check under another name and is looked up under its own.

import type { BetterAuthPlugin } from 'better-auth';
import { createAuthMiddleware } from 'better-auth/api';

const WITHOUT_DOT = /^[^@]+@[^@.]+$/;

export function addressesWithoutDot() {
  return {
    id: 'addresses-without-dot',
    hooks: {
      before: [
        {
          matcher: ({ path }) => path === '/sign-in/email',
          handler: createAuthMiddleware(({ body, context }) => {
            const email = (body as { email?: unknown } | undefined)?.email;
            if (typeof email !== 'string' || !WITHOUT_DOT.test(email)) return Promise.resolve(undefined);
            const { internalAdapter } = context;
            const findUserByEmail = (_alias: string, options?: { includeAccounts: boolean }) =>
              internalAdapter.findUserByEmail(email, options);
            return Promise.resolve({
              context: { body: { email: `${email}.localdomain` }, context: { internalAdapter: { findUserByEmail } } },
            });
          }),
        },
      ],
    },
  } satisfies BetterAuthPlugin;
}
