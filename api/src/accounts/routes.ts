import type { FastifyPluginAsyncTypebox, FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
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

/** What an answer depends on besides its address. */
const VARY = 'Cookie, Authorization, X-Api-Key, X-Secret-Key, X-Account';

/** Everything of the slice but signing in, which is better-auth's API or the identity service's: see auth/routes.ts. */
export function accountRoutes({ sessions, grants, people, signIn }: AccountServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers({ 'cache-control': 'private, no-cache', 'vary': VARY });
      done();
    });
    await app.register(sessionRoutes(sessions, signIn));
    for (const routes of people) await app.register(routes);
    await app.register(grantRoutes(grants));
  };
}
