import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { enforce, policy } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { AccountQuerySchema, FoundAccountsSchema, type FindAccounts } from './schemas.ts';

export function pickerRoutes(find: FindAccounts): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/accounts',
      {
        schema: {
          summary: 'Find users and organisations to share with or to grant access',
          tags: ['accounts'],
          querystring: AccountQuerySchema,
          response: { 200: FoundAccountsSchema, ...problems(400, 401, 403, 503) },
        },
      },
      async (request) => {
        enforce(policy.findAccounts(request.actor.caller));
        return { results: await find(request.query.q ?? '', request.headers.cookie) };
      },
    );
    done();
  };
}
