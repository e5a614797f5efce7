// Registers the hook that resolves the caller of every request and sets `request.actor`.

import type { FastifyInstance } from 'fastify';
import type { Caller } from './caller.ts';
import { resolveCaller, type Authenticators } from './resolve-caller.ts';

/** Caller of a request and where it came from; services take it and audit events record it. */
export interface Actor {
  caller: Caller;
  /** IP address of the client, after the forwarding headers of trusted proxies. */
  ip: string;
  requestId: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor;
  }
}

/** Resolves the caller before the body is read. An error of `resolveCaller` becomes the response. */
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
