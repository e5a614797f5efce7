// Registers every slice's routes under its URL prefix.

import { fileURLToPath } from 'node:url';
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { cameThroughProxy, enforce, policy, registerActor } from './access/index.ts';
import type { Accounts } from './accounts/index.ts';
import { networkOf, type AttemptLimit } from './attempts/index.ts';
import { auditRoutes, type AuditLog } from './audit/index.ts';
import type { ApiKeys } from './api-keys/index.ts';
import {
  artefactRoutes,
  contentRoutes,
  statsRoutes,
  transferRoutes,
  type ArtefactServices,
} from './artefacts/index.ts';
import { storageRoutes, type Blobs, type Storage } from './blobs/index.ts';
import type { BuildInfo } from './build-info.ts';
import { clientRoutes, createClients } from './clients/index.ts';
import type { Database } from './db/index.ts';
import { eventRoutes, type Events } from './events/index.ts';
import {
  createHttpServer,
  problems,
  registerApiDescription,
  registerHealth,
  registerMetricsRoute,
  registerOpenApiRoute,
  registerPrivateDocuments,
  registerStaticUi,
  type EventStreamOptions,
  type HttpServerOptions,
  type Metrics,
  type ServerPhase,
} from './http/index.ts';
import { remoteRoutes, type Remotes } from './remotes/index.ts';
import { thumbnailDataRoutes, thumbnailRoutes, type ThumbnailService } from './thumbnails/index.ts';
import { trustedPublisherRoutes, type TrustedPublisherService } from './trusted-publishers/index.ts';
import type { Uploads } from './uploads/index.ts';

export interface AppDependencies {
  http: HttpServerOptions;
  publicUrl: string;
  frameAncestors: string;
  build: BuildInfo;
  internalSecret: string | undefined;
  database: Database;
  blobs: Blobs;
  storage: Storage;
  accounts: Accounts;
  apiKeys: ApiKeys;
  unknownKeys: AttemptLimit;
  trustedPublishers: TrustedPublisherService;
  artefacts: ArtefactServices;
  thumbnails: ThumbnailService;
  remotes: Remotes;
  audit: AuditLog;
  events: Events;
  uploads: Uploads;
  metrics: Metrics;
  /** Serve /metrics on the app itself. */
  serveMetrics: boolean;
  phaseNow: () => ServerPhase;
  /** Of event streams. */
  streams?: EventStreamOptions;
}

/**
 * Routes that lead to a deletion, besides those of DELETE: without the space that is reserved for deletions, nobody
 * could make room on a full disk.
 */
const MAKING_ROOM = new Set([
  '/api/auth/sign-in/email',
  '/api/auth/two-factor/verify-totp',
  '/api/auth/two-factor/verify-backup-code',
  '/api/v1/storage/sweep',
]);
const UI_DIRECTORY = fileURLToPath(new URL('../../ui/dist', import.meta.url));
const CLIENTS_DIRECTORY = fileURLToPath(new URL('../../clients/dist', import.meta.url));

/** Assembles the app. Does not listen. */
export async function createApp(deps: AppDependencies): Promise<FastifyInstance> {
  const app = createHttpServer(deps.http);
  deps.metrics.observe(app);
  reserveRoomForDeletions(app, deps.database);
  await registerApiDescription(app, {
    title: 'Berth',
    version: deps.build.version,
    description: 'Artefact registry for platforms that run plug-ins. An ID is one URL-encoded path segment.',
    publicUrl: deps.publicUrl,
    frameAncestors: deps.frameAncestors,
  });

  const authenticators = {
    internalSecret: deps.internalSecret,
    publicUrl: deps.publicUrl,
    apiKey: deps.apiKeys.authenticate,
    countUnknownKey: (ip: string) => deps.unknownKeys.count(networkOf(ip)),
    session: deps.accounts.authenticateSession,
    reloadApiKey: deps.apiKeys.reload,
    reloadSession: deps.accounts.reloadSession,
  };
  await app.register(
    async (v1) => {
      registerPrivateDocuments(v1);
      registerActor(v1, authenticators);
      deps.accounts.registerSessionCookies(v1);
      registerOpenApiRoute(v1);
      await v1.register(deps.accounts.routes);
      await v1.register(deps.apiKeys.routes);
      await v1.register(trustedPublisherRoutes(deps.trustedPublishers));
      await v1.register(artefactRoutes(deps.artefacts));
      await v1.register(transferRoutes(deps.artefacts));
      await v1.register(deps.uploads.routes);
      await v1.register(contentRoutes(deps.artefacts));
      await v1.register(statsRoutes(deps.artefacts, deps.blobs));
      await v1.register(storageRoutes(deps.storage, deps.streams));
      await v1.register(thumbnailRoutes(deps.thumbnails));
      await v1.register(remoteRoutes(deps.remotes, deps.streams));
      await v1.register(auditRoutes(deps.audit));
      await v1.register(eventRoutes(deps.events, deps.streams));
    },
    { prefix: '/api/v1' },
  );
  // Outside of the authenticated scope: responses that shared caches may store must not set cookies.
  await app.register(thumbnailDataRoutes(deps.thumbnails), { prefix: '/api/v1' });
  await app.register(clientRoutes(createClients({ directory: CLIENTS_DIRECTORY, publicUrl: deps.publicUrl })));

  await app.register(
    async (api) => {
      registerHealth(api, {
        parts: {
          database: { check: () => deps.database.check(), isRequired: true, gauge: 'berth_database_up' },
          // Lists, documents and sign-in do not need it.
          storage: { check: () => deps.blobs.check(), isRequired: false, gauge: 'berth_storage_up' },
        },
        phaseNow: deps.phaseNow,
        metrics: deps.metrics,
      });
      await api.register(deps.accounts.authRoutes, { prefix: '/auth' });
      await api.register(async (admin) => {
        registerPrivateDocuments(admin);
        registerActor(admin, authenticators);
        await admin.register(infoRoute(deps.build));
      });
    },
    { prefix: '/api' },
  );

  if (deps.serveMetrics) registerMetricsRoute(app, deps.metrics, cameThroughProxy);
  await registerStaticUi(app, {
    directory: UI_DIRECTORY,
    frameAncestors: deps.frameAncestors,
    basePath: deps.http.basePath,
  });
  return app;
}

function reserveRoomForDeletions(app: FastifyInstance, database: Database): void {
  const enter: onRequestHookHandler = ({ method, routeOptions }, _reply, done) => {
    if (method === 'DELETE' || MAKING_ROOM.has(routeOptions.url ?? '')) database.makingRoom(done);
    else done();
  };
  app.addHook('onRequest', enter);
  // Again, since the context of a request ends when its body is read.
  app.addHook('preValidation', enter);
}

function infoRoute(build: BuildInfo): FastifyPluginAsyncTypebox {
  const BuildInfoSchema = Type.Object({
    version: Type.String(),
    commit: Type.Optional(Type.String()),
    date: Type.Optional(Type.String()),
  });
  return async (app) => {
    app.get(
      '/admin/info',
      {
        schema: {
          summary: 'Get the version of the server',
          tags: ['server'],
          response: { 200: BuildInfoSchema, ...problems(401, 403) },
        },
      },
      async (request) => {
        enforce(policy.seeServerInfo(request.actor.caller));
        return build;
      },
    );
  };
}
