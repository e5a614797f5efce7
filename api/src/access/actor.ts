// Registers the hook that resolves the caller of every request and sets `request.actor`.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Executor } from '../db/index.ts';
import type { Caller } from './caller.ts';
import { ApiKeyRevokedError, SessionEndedError, UnauthenticatedError } from './errors.ts';
import { rawKeyOf, resolveCaller, type Authenticators } from './resolve-caller.ts';
import { SAFE_METHODS } from './same-origin.ts';

/** Caller of a request and where it came from; services take it and pass it to `changeAs`. */
export interface Actor {
  /** As of the start of the request. */
  caller: Caller;
  /** IP address of the client, after the forwarding headers of trusted proxies. */
  ip: string;
  requestId: string;
  /**
   * Reads the caller again, as they are now. In a transaction, it also keeps others from changing what it read until
   * the end. Undefined for callers of whom nothing is stored here: internal services, anonymous callers, and users of
   * an identity service.
   * @throws session_ended, api_key_revoked
   */
  reload?: ((executor: Executor) => Promise<Caller>) | undefined;
}

/** An actor whose caller needs no further reading: `changeAs` has read it, or it is the server itself. */
export interface CurrentActor extends Omit<Actor, 'reload'> {
  reload?: never;
}

/** The server itself, or its operator on the command line. */
export const SYSTEM_ACTOR: CurrentActor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor;
  }
  interface FastifyContextConfig {
    /** Anonymous callers may write through this route; it checks something else, such as a token in its body. */
    anonymous?: boolean;
  }
}

/**
 * Resolves the caller before the body is read, and refuses anonymous ones on routes that write, so that nobody unknown
 * has a body parsed. An error of `resolveCaller` becomes the response.
 */
export function registerActor(app: FastifyInstance, authenticators: Authenticators): void {
  app.decorateRequest('actor');
  app.addHook('onRequest', async (request) => {
    const { method, headers, host, protocol, ip, id: requestId } = request;
    const caller = await resolveCaller({ method, headers, host, protocol, ip }, authenticators);
    if (caller.kind === 'anonymous' && !SAFE_METHODS.has(method) && !request.routeOptions.config.anonymous)
      throw new UnauthenticatedError('This requires a session or a key: sign in or send a key.');
    request.actor = { caller, ip, requestId, reload: reloadOf(caller, headers, authenticators) };
    request.loggedActor = describe(caller);
  });
}

/** For the log: neither names nor addresses, which the audit log keeps only as long as it should. */
function describe(caller: Caller): { kind: string; id?: string } | null {
  if (caller.kind === 'anonymous') return null;
  const id = caller.kind === 'user' ? caller.user.id : 'key' in caller ? caller.key.id : undefined;
  return { kind: caller.kind, ...(id !== undefined && { id }) };
}

function reloadOf(
  caller: Caller,
  headers: IncomingHttpHeaders,
  { reloadApiKey, reloadSession }: Authenticators,
): Actor['reload'] {
  if (caller.kind === 'user')
    return (
      reloadSession &&
      (async (executor) => {
        const current = await reloadSession(caller, executor);
        if (!current) throw new SessionEndedError('Your session has ended: sign in again, and repeat what failed.');
        return current;
      })
    );
  const rawKey = 'key' in caller ? rawKeyOf(headers) : undefined;
  if (rawKey === undefined) return undefined;
  return async (executor) => {
    const current = await reloadApiKey(rawKey, executor);
    if (!current)
      throw new ApiKeyRevokedError(
        'The API key was revoked or replaced, or expired, during this request: repeat it with a valid key.',
      );
    return current;
  };
}
