import type { FastifyPluginAsyncTypebox, FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { registerPrivateDocuments } from '../http/index.ts';
import { grantRoutes } from './grants/routes.ts';
import type { GrantService } from './grants/service.ts';
import { sessionRoutes } from './sessions/routes.ts';
import type { SignIn } from './sessions/schemas.ts';
import type { SessionService } from './sessions/service.ts';

export interface AccountServices {
  sessions: SessionService;
  grants: GrantService;
  /** Routes of users, organisations and their sessions, or those that refer to the identity service. */
  identityRoutes: FastifyPluginCallbackTypebox[];
  signIn: SignIn;
}

/** Routes of the slice except sign-in, which auth/routes.ts or the identity service provides. */
export function accountRoutes({
  sessions,
  grants,
  identityRoutes,
  signIn,
}: AccountServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    registerPrivateDocuments(app);
    await app.register(sessionRoutes(sessions, signIn));
    for (const routes of identityRoutes) await app.register(routes);
    await app.register(grantRoutes(grants));
  };
}
