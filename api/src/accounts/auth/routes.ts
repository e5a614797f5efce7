// Routes of /api/auth, which expose better-auth's API. Responses pass unchanged; errors become problem documents that
// keep the `code` and `message` that better-auth's clients read.

import { STATUS_CODES } from 'node:http';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { assertSameOrigin } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { TooManyAttemptsError } from '../../attempts/index.ts';
import type { AuthCall } from './calls.ts';
import type { AuthGateway } from './gateway.ts';

const BODY_LIMIT_BYTES = 64 * 1024;
/** Headers of better-auth's response that are not copied: the server sets its own. */
const SKIPPED_HEADERS = new Set(['set-cookie', 'content-length', 'transfer-encoding', 'connection']);

export function authRoutes(gateway: AuthGateway, calls: readonly AuthCall[]): FastifyPluginCallback {
  return (app, _options, done) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    app.setValidatorCompiler(() => () => true);
    for (const call of calls) {
      app.route({
        method: call.method,
        url: call.path,
        bodyLimit: BODY_LIMIT_BYTES,
        schema: {
          summary: call.summary,
          tags: ['session'],
          ...(call.body && { body: call.body }),
          response: problems(400, 401, 403, 429),
        },
        handler: async (request, reply) => {
          const { method, headers, host, ip, id, protocol } = request;
          assertSameOrigin({ method, headers, host });
          const body = Buffer.isBuffer(request.body) ? request.body : undefined;
          const response = await gateway.handle({
            call,
            headers,
            search: searchOf(request),
            body,
            ip,
            origin: `${protocol}://${host}`,
            requestId: id,
          });
          return sendResponse(response, request, reply);
        },
      });
    }
    done();
  };
}

async function sendResponse(response: Response, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const body =
    response.status < 400
      ? Buffer.from(await response.arrayBuffer())
      : JSON.stringify(await toProblem(response, request.id));
  for (const [name, value] of response.headers) if (!SKIPPED_HEADERS.has(name)) reply.header(name, value);
  for (const cookie of response.headers.getSetCookie()) reply.header('set-cookie', cookie);
  if (response.status >= 400) reply.type('application/problem+json');
  return reply.code(response.status).header('cache-control', 'no-store').send(body);
}

/**
 * Converts an error response of better-auth into a problem document.
 * @throws too_many_attempts; Error for a status from 500, which the app's error handler answers
 */
async function toProblem(response: Response, requestId: string): Promise<Record<string, unknown>> {
  const { status } = response;
  if (status === TooManyAttemptsError.status) {
    const seconds = response.headers.get('x-retry-after') ?? '60';
    throw new TooManyAttemptsError(`Too many attempts from this address: try again in ${seconds} seconds.`, {
      headers: { 'retry-after': seconds },
    });
  }
  const title = STATUS_CODES[status] ?? 'Error';
  const { code = title.toUpperCase().replaceAll(' ', '_'), message = title } = (await response
    .json()
    .catch(() => ({}))) as { code?: string; message?: string };
  if (status >= 500) throw new Error(`better-auth answered ${status} ${code}: ${message}`);
  return { status, title, detail: message, code, requestId, message };
}

function searchOf({ url }: FastifyRequest): string {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start);
}
