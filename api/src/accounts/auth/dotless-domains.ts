// better-auth plugin: allows sign-in with a dotless domain, such as the default superadmin admin@localhost. The
// address gets a suffix to pass better-auth's validation; the user is looked up by the original address.

import type { BetterAuthPlugin } from 'better-auth';
import { createAuthMiddleware } from 'better-auth/api';

const DOTLESS_ADDRESS = /^[^@]+@[^@.]+$/;

export function dotlessDomains() {
  return {
    id: 'dotless-domains',
    hooks: {
      before: [
        {
          matcher: ({ path }) => path === '/sign-in/email',
          handler: createAuthMiddleware(({ body, context }) => {
            const email = (body as { email?: unknown } | undefined)?.email;
            if (typeof email !== 'string' || !DOTLESS_ADDRESS.test(email)) return Promise.resolve(undefined);
            const { internalAdapter } = context;
            const findUserByEmail = (_suffixed: string, options?: { includeAccounts: boolean }) =>
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
