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
  /** Routes of users and organisations. */
  people: FastifyPluginCallbackTypebox[];
  signIn: SignIn;
}

/**
 * Everything of the slice but signing in, which is better-auth's API or the identity service's: see auth/routes.ts.
 */
export function accountRoutes({ sessions, grants, people, signIn }: AccountServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    registerPrivateDocuments(app);
    await app.register(sessionRoutes(sessions, signIn));
    for (const routes of people) await app.register(routes);
    await app.register(grantRoutes(grants));
  };
}
