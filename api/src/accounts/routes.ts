import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { grantRoutes } from './grants/routes.ts';
import type { GrantService } from './grants/service.ts';
import type { MemberService } from './organizations/members.ts';
import { organizationRoutes } from './organizations/routes.ts';
import type { OrganizationService } from './organizations/service.ts';
import { sessionRoutes } from './sessions/routes.ts';
import type { SessionService } from './sessions/service.ts';
import { userRoutes } from './users/routes.ts';
import type { UserService } from './users/service.ts';

export interface AccountServices { sessions: SessionService; users: UserService; organizations: OrganizationService; members: MemberService; grants: GrantService }

/** What an answer depends on besides its address. */
const VARY = 'Cookie, Authorization, X-Api-Key, X-Secret-Key, X-Account';

/** Everything of the slice but signing in, which is better-auth's API: see auth/routes.ts. */
export function accountRoutes({ sessions, users, organizations, members, grants }: AccountServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers({ 'cache-control': 'private, no-cache', 'vary': VARY });
      done();
    });
    await app.register(sessionRoutes(sessions));
    await app.register(userRoutes(users));
    await app.register(organizationRoutes(organizations, members));
    await app.register(grantRoutes(grants));
  };
}
