import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { enforce, policy } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { AccountQuerySchema, FoundAccountsSchema, type FoundAccount } from './schemas.ts';

/** Finds accounts by words of their names, for whoever picks one. @param cookie of the session, which an identity service asks for */
export type FindAccounts = (q: string, cookie: string | undefined) => Promise<FoundAccount[]>;

/** Accounts of each kind that a search brings. */
export const MOST_FOUND = 10;

export function pickerRoutes(find: FindAccounts): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get('/accounts', {
      schema: { summary: 'Find users and organisations to share with or to grant access', tags: ['accounts'], querystring: AccountQuerySchema, response: { 200: FoundAccountsSchema, ...problems(400, 401, 403, 503) } },
    }, async (request) => {
      enforce(policy.findAccounts(request.actor.caller));
      return { results: await find(request.query.q ?? '', request.headers.cookie) };
    });
    done();
  };
}
