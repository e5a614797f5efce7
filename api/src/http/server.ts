// Creates the Fastify instance: routing below PUBLIC_URL's path, proxies, timeouts, one log line per request.
// app.ts registers the routes.

import { hostname } from 'node:os';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import { BODY_LIMIT_BYTES, registerBodyHandling } from './body.ts';
import { closeConnectionsOnShutdown, waitForSlowHandlers } from './idle-connections.ts';
import { createStackLimit, describeError, type StackLimit } from './log-errors.ts';
import type { LogStream } from './log-output.ts';
import { answerMalformed } from './malformed.ts';
import { registerProblems, sendProblem, toBerthError } from './problem.ts';
import { logRequest, observeRequestEnds } from './request-end.ts';
import { addSecurityHeaders, registerSecurityHeaders } from './security-headers.ts';
import { continueTraces, requestIdOf, traceOf } from './tracing.ts';
import { createProxyCheck } from './trusted-proxies.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** What to log as `err`, in place of an error that requests share. */
    limitStack: StackLimit;
  }
}

export interface HttpServerOptions {
  /** Path of PUBLIC_URL without a trailing slash, `''` or `/registry`. Routes work with and without this prefix. */
  basePath: string;
  /** Whether PUBLIC_URL is https. Default false. */
  secure?: boolean;
  /** Proxies whose forwarding headers are trusted: addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`. */
  trustedProxies: string[];
  logLevel: string;
  /** Default 120 s, see IDLE_TIMEOUT_MS. */
  idleTimeoutMs?: number;
  /** Time that a body which is not an upload may take. Default 30 s, see BODY_TIMEOUT_MS. */
  bodyTimeoutMs?: number;
  /** Destination of log lines. Default: standard output, unbuffered. */
  logStream?: LogStream;
  /** Requests wait until it resolves; if it rejects, their connections are closed. Default: requests do not wait. */
  ready?: Promise<void>;
}

/**
 * Connections without traffic for this long are closed, unless a response is pending. The total duration of an upload
 * is unlimited.
 */
const IDLE_TIMEOUT_MS = 120_000;
/** Enough for the largest body over a slow line. A byte now and then must not keep a connection for ever. */
const BODY_TIMEOUT_MS = 30_000;
/** Above the usual 60 s of proxies, so that the proxy closes idle connections first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Maximum length of a decoded ID in a path. */
const MAX_PARAM_LENGTH = 1024;

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { secure = false } = options;
  const isTrusted = createProxyCheck(options.trustedProxies);
  const app = Fastify({
    logger: {
      level: options.logLevel,
      // Tells replicas apart.
      base: { hostname: hostname() },
      serializers: { err: describeError },
      ...(options.logStream && { stream: options.logStream }),
    },
    logController: new OwnLines({ requestIdLogLabel: 'requestId' }),
    genReqId: (request) => requestIdOf(request, isTrusted),
    childLoggerFactory(logger, bindings, childOptions, request) {
      const traceId = traceOf(request, isTrusted)?.id;
      return logger.child({ ...bindings, ...(traceId !== undefined && { trace_id: traceId }) }, childOptions);
    },
    trustProxy: isTrusted,
    connectionTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: 0,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // During shutdown, requests on open connections are still served: proxies do not repeat uploads.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    rewriteUrl: (request) => withoutBasePath(request.url ?? '/', options.basePath),
    clientErrorHandler: (error, socket) => {
      answerMalformed(error, socket, secure);
    },
    frameworkErrors: (error, request, reply) => {
      void sendProblem(toBerthError(error), request, addSecurityHeaders(reply).header('x-request-id', request.id));
    },
  });
  app.decorate('limitStack', createStackLimit());
  observeRequestEnds(app);
  app.onRequestEnd(logRequest);
  app.setValidatorCompiler(compileValidator);
  registerSecurityHeaders(app, { secure });
  if (options.ready) waitUntilReady(app, options.ready);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    // Relative URLs in the page require the trailing slash.
    if (options.basePath !== '' && request.originalUrl === options.basePath)
      return reply.redirect(`${options.basePath}/`, 308);
    done();
  });
  continueTraces(app, isTrusted);
  waitForSlowHandlers(app);
  registerProblems(app);
  registerBodyHandling(app, options.bodyTimeoutMs ?? BODY_TIMEOUT_MS);
  closeConnectionsOnShutdown(app);
  return app;
}

/** Holds requests until the server is ready. */
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

function withoutBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest === '' || rest.startsWith('?')) return `/${rest}`;
  return rest.startsWith('/') ? rest : url;
}

class OwnLines extends LogController {
  override incomingRequest(): void {
    /* request-end.ts logs all of it */
  }
  override defaultErrorLog(): void {
    /* problem.ts logs errors */
  }
  override routeNotFound(): void {
    /* logged like any 404 */
  }

  override requestCompleted(): void {
    /* also requests that are not completed: request-end.ts */
  }
}
