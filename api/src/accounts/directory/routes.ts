import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { AccountsInDirectoryError } from '../errors.ts';

/** Replaces the routes of users and organisations: answers that the identity service manages them. */
export function externalAccountRoutes(directoryUrl: string): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    for (const path of [
      '/users',
      '/users/*',
      '/organizations',
      '/organizations/*',
      '/invitations/*',
      '/sessions',
      '/sessions/*',
    ]) {
      app.all(path, { schema: { hide: true } }, () => {
        throw new AccountsInDirectoryError(
          `Users and organisations are managed by the identity service: ${directoryUrl}.`,
        );
      });
    }
    done();
  };
}
