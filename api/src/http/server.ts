// The Fastify instance itself: routing below PUBLIC_URL's path, proxies, time-outs, one log line a request.
// What it serves is put together in app.ts.

import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { registerBodyHandling } from './body.ts';
import { waitForSlowHandlers } from './idle-connections.ts';
import type { LogStream } from './log-output.ts';
import { answerMalformed } from './malformed.ts';
import { registerProblems, sendProblem, toBerthError } from './problem.ts';
import { registerSecurityHeaders } from './security-headers.ts';
import { compileValidator } from './validation.ts';

export interface HttpServerOptions {
  /** Path of PUBLIC_URL without a trailing slash, `''` or `/registry`: served with and without it. */
  basePath: string;
  /** Whether PUBLIC_URL is https. Default false. */
  secure?: boolean;
  /** Whose forwarding headers count: addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`. */
  trustedProxies: string[];
  logLevel: string;
  /** How long nothing may move on a connection, see IDLE_TIMEOUT_MS. */
  idleTimeoutMs?: number;
  /** Where log lines go; default the standard output, line by line. */
  logStream?: LogStream;
  /** Until it resolves, requests wait; when it rejects, they lose their connections. Default: none waits. */
  ready?: Promise<void>;
}

/**
 * Connections on which nothing moves for this long are closed, unless the server has the next word; there is no bound
 * on a whole upload.
 */
const IDLE_TIMEOUT_MS = 120_000;
/** Kept above the usual 60 s of proxies, so that they and not Berth close idle connections first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Longest decoded id in a path. */
const MAX_PARAM_LENGTH = 1024;
/** JSON bodies; uploads are streamed and have their own limit. */
const JSON_BODY_LIMIT_BYTES = 1024 * 1024;

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const app = Fastify({
    logger: {
      level: options.logLevel,
      base: null,
      serializers: { err: describeError },
      ...(options.logStream && { stream: options.logStream }),
    },
    logController: new OneLinePerRequest(),
    genReqId: () => randomUUID(),
    trustProxy: options.trustedProxies,
    connectionTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: 0,
    bodyLimit: JSON_BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // What arrives on a connection that was taken before a stop is served: the proxy would not send an upload again.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    rewriteUrl: (request) => withoutBasePath(request.url ?? '/', options.basePath),
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(toBerthError(error), request, reply.header('x-request-id', request.id));
    },
  });
  app.setValidatorCompiler(compileValidator);
  if (options.ready) waitUntilReady(app, options.ready);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    // The page's relative addresses need the slash.
    if (options.basePath !== '' && request.originalUrl === options.basePath)
      return reply.redirect(`${options.basePath}/`, 308);
    done();
  });
  registerSecurityHeaders(app, { secure: options.secure ?? false });
  waitForSlowHandlers(app);
  registerProblems(app);
  registerBodyHandling(app);
  hangUpWhenStopping(app);
  return app;
}

/** Lets requests wait while the server listens and cannot answer yet. */
function waitUntilReady(app: FastifyInstance, ready: Promise<void>): void {
  let isReady = false;
  ready.then(
    () => {
      isReady = true;
    },
    () => undefined,
  );
  app.addHook('onRequest', (request, _reply, done) => {
    if (isReady) done();
    else
      ready.then(
        () => {
          done();
        },
        () => {
          request.raw.destroy();
        },
      );
  });
}

/** A client that keeps its connection after the last answer would hold up the stop. */
function hangUpWhenStopping(app: FastifyInstance): void {
  let stopping = false;
  app.addHook('preClose', (done) => {
    stopping = true;
    done();
  });
  app.addHook('onResponse', (_request, _reply, done) => {
    if (stopping)
      setImmediate(() => {
        app.server.closeIdleConnections();
      });
    done();
  });
}

function withoutBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest === '' || rest.startsWith('?')) return `/${rest}`;
  return rest.startsWith('/') ? rest : url;
}

/** Messages, stacks and causes; never the fields of a request, which may hold secrets. */
function describeError(error: Error): { type: string; message: string; stack: string; code?: string; cause?: string } {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause = error.cause instanceof Error ? { cause: error.cause.stack ?? error.cause.message } : {};
  return { type: error.name, message: error.message, stack: error.stack ?? '', ...code, ...cause };
}

class OneLinePerRequest extends LogController {
  override incomingRequest(): void {
    /* requestCompleted says all of it */
  }
  override defaultErrorLog(): void {
    /* problem.ts logs what a client must not see */
  }
  override routeNotFound(): void {
    /* an ordinary 404 */
  }

  override requestCompleted(_error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    reply.log.info(
      {
        method: request.method,
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
        ip: request.ip,
      },
      'request',
    );
  }
}
