// Puts the caller on every request of a scope of the app, as request.actor.

import type { FastifyInstance } from 'fastify';
import type { Caller } from './caller.ts';
import { resolveCaller, type Authenticators } from './resolve-caller.ts';

/** Who acts, and from where: what services take and audit events tell. */
export interface Actor {
  caller: Caller;
  /** Address of the client, forwarding headers of trusted proxies followed. */
  ip: string;
  requestId: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor;
  }
}

/** Resolves the caller before anything of the body is read; what resolveCaller throws answers the request. */
export function registerActor(app: FastifyInstance, authenticators: Authenticators): void {
  app.decorateRequest('actor');
  app.addHook('onRequest', async (request) => {
    const caller = await resolveCaller(
      { method: request.method, headers: request.headers, host: request.host, ip: request.ip },
      authenticators,
    );
    request.actor = { caller, ip: request.ip, requestId: request.id };
  });
}
