import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { AccountSchema } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { SessionSchema, SignInSchema, type SignIn } from './schemas.ts';
import type { SessionService } from './service.ts';

const tags = ['session'];

export function sessionRoutes(sessions: SessionService, signIn: SignIn): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/session',
      {
        schema: {
          summary: 'Get the caller, and the accounts that they may act for',
          tags,
          response: { 200: SessionSchema, ...problems(400, 401) },
        },
      },
      (request) => sessions.describe(request.actor.caller),
    );

    app.get(
      '/sign-in',
      {
        schema: { summary: 'Get how users sign in', tags, response: { 200: SignInSchema, ...problems(400, 401) } },
      },
      () => signIn,
    );

    app.put(
      '/session/account',
      {
        schema: {
          summary: 'Choose the account to act for',
          tags,
          body: AccountSchema,
          response: { 200: SessionSchema, ...problems(400, 401, 403) },
        },
      },
      async (request, reply) => {
        const { session, cookies } = await sessions.chooseAccount(request.actor, request.body);
        for (const cookie of cookies) reply.header('set-cookie', cookie);
        return session;
      },
    );

    done();
  };
}
