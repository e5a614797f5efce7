// Renders every failure as application/problem+json (RFC 9457). Services throw errors; routes do not map them.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type TObject } from 'typebox';
import { toDatabaseError } from '../db/index.ts';
import { BerthError, type FieldError } from '../errors.ts';
import {
  BodyInvalidError,
  BodyTooLargeError,
  InternalError,
  MediaTypeError,
  RequestInvalidError,
  RouteNotFoundError,
} from './errors.ts';
import { describeUnknownRoute, isWithSlashAtEnd, rememberRoutes } from './near-misses.ts';

/** The problem document of RFC 9457, with a stable machine code. */
export const ProblemSchema = Type.Object(
  {
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    title: Type.String(),
    detail: Type.String({ description: 'What went wrong, and what to do' }),
    code: Type.String({ description: 'Stable code; docs/reference/errors.md lists all of them' }),
    requestId: Type.String({ description: "Identifies the request in the server's log" }),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { title: 'Problem' },
);

type Problems<Status extends number> = { [S in Status]: TObject & { description: string } };

/** Response schemas for a route's failures: `response: { 200: …, ...problems(400, 404) }`. */
export function problems<const Status extends number>(...statuses: Status[]): Problems<Status> {
  const schema = (status: number) => ({
    description: `Problem document, status ${status}`,
    content: { 'application/problem+json': { schema: ProblemSchema } },
  });
  return Object.fromEntries(statuses.map((status) => [status, schema(status)])) as unknown as Problems<Status>;
}

/** Answers every error and every unknown path of the app with a problem document. */
export function registerProblems(app: FastifyInstance): void {
  rememberRoutes(app);
  app.setErrorHandler((error, request, reply) => sendProblem(toBerthError(error), request, reply));
  app.setNotFoundHandler((request, reply) => sendProblem(routeNotFound(request), request, reply));
  // Before the body is checked: an unknown path must not be answered with an error about the body.
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 || isWithSlashAtEnd(request) ? routeNotFound(request) : undefined);
  });
}

/** The error for an unknown path. */
export function routeNotFound(request: FastifyRequest): BerthError {
  return new RouteNotFoundError(describeUnknownRoute(request));
}

/** Answers a request with the problem document of an error. */
export function sendProblem(error: BerthError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.status >= 500) {
    // Every request fails in its own way only if the cause is a mistake of the program.
    const kind = error.status === 500 ? undefined : error.code;
    const err = request.server.limitStack(error.cause ?? error, kind);
    request.log.error({ err, code: error.code }, error.message);
  }
  const body = {
    status: error.status,
    title: error.title,
    detail: error.message,
    code: error.code,
    requestId: request.id,
    ...(error.errors && { errors: error.errors }),
  };
  return reply
    .code(error.status)
    .headers(error.headers ?? {})
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(body));
}

/** Converts a thrown value to an error for clients; an unexpected one becomes internal_error. */
export function toBerthError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  return (
    toDatabaseError(error) ??
    fromFastify(error) ??
    new InternalError(
      'The registry failed unexpectedly: its administrator can find the cause in the log under this request ID.',
      { cause: error },
    )
  );
}

interface FastifyFailure {
  code?: string;
  statusCode?: number;
  validation?: { instancePath?: string; message?: string; params?: Record<string, unknown> }[];
  validationContext?: string;
}

function fromFastify(error: unknown): BerthError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, statusCode, validation, validationContext } = error as FastifyFailure;
  if (validation)
    return new RequestInvalidError(`The ${validationContext ?? 'request'} is invalid: see errors for each field.`, {
      errors: fieldErrors(validation),
    });
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new MediaTypeError(
        'This route does not accept that content type: send application/json, or multipart/form-data for uploads.',
      );
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BodyTooLargeError('The JSON body is larger than this route accepts: send a smaller one.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new BodyInvalidError('The body is empty: send a JSON document.');
  }
  if ((error instanceof SyntaxError && statusCode === 400) || code === 'FST_ERR_CTP_INVALID_JSON_BODY')
    return new BodyInvalidError('The body is not valid JSON: correct its syntax.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new RequestInvalidError('The request is malformed: check its path, headers and length.');
  return undefined;
}

/** One entry per field; the message includes the names of unknown fields. */
function fieldErrors(validation: NonNullable<FastifyFailure['validation']>): FieldError[] {
  return validation.map(({ instancePath = '', message = 'is not valid', params = {} }) => {
    const named = params['additionalProperties'] ?? params['requiredProperties'];
    const names = Array.isArray(named) ? named.join(', ') : '';
    return { path: instancePath, message: names === '' ? message : `${message}: ${names}` };
  });
}
