import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { AccountSchema } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { SessionSchema } from './schemas.ts';
import type { SessionService } from './service.ts';

const tags = ['session'];

export function sessionRoutes(sessions: SessionService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get('/session', {
      schema: { summary: 'Tell the caller who he is and what he may act for', tags, response: { 200: SessionSchema, ...problems(400, 401) } },
    }, (request) => sessions.describe(request.actor.caller));

    app.put('/session/account', {
      schema: { summary: 'Choose the account to act for', tags, body: AccountSchema, response: { 200: SessionSchema, ...problems(400, 401, 403) } },
    }, (request) => sessions.chooseAccount(request.actor, request.body));

    done();
  };
}
