// The API key routes on a fixture's database, with sessions of the sample callers.

import type { FastifyInstance } from 'fastify';
import { registerActor } from '../../src/access/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { ACME, CALLERS, type CallerName } from '../access/callers.ts';
import type { Fixture } from './api-keys-fixture.ts';

/** Fields of an upload key. */
export const UPLOAD_KEY = { type: 'upload', name: 'CI' };
/** Fields of a read key, whose owner needs a grant. */
export const READ_KEY = { type: 'read', name: 'mirror', owner: ACME };
export const SCOPES = {
  allowedName: '@acme/a@1',
  allowedNamePrefix: '@acme/',
  allowedPackageName: '@acme/a',
  allowedCategory: 'processing',
};

/** Starts the API key routes alone, as one replica; a user's session cookie is the name of the caller. */
export async function startApp(t: { after: (close: () => Promise<void>) => void }, fixture: Fixture) {
  const keys = fixture.open();
  const app: FastifyInstance = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  registerActor(app, {
    internalSecret: 'secret',
    publicUrl: 'https://berth.example',
    apiKey: keys.authenticate,
    reloadApiKey: keys.reload,
    countUnknownKey: () => Promise.resolve(),
    session: ({ cookie = '' }) => {
      const caller = CALLERS[decodeURIComponent(cookie) as CallerName];
      return Promise.resolve(caller.kind === 'user' ? caller : undefined);
    },
  });
  await app.register(keys.routes);
  t.after(() => app.close());

  const as = (caller: CallerName, method: 'POST' | 'GET' | 'DELETE', url: string, body?: unknown) =>
    app.inject({
      method,
      url,
      headers:
        CALLERS[caller].kind === 'user'
          ? { cookie: encodeURIComponent(caller) }
          : caller === 'internal'
            ? { 'x-secret-key': 'secret' }
            : {},
      ...(body !== undefined && { body: body as object }),
    });
  const withKey = (key: string) => app.inject({ method: 'GET', url: '/api-keys', headers: { 'x-api-key': key } });
  return { app, keys, as, withKey };
}
