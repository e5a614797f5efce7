// Routes of /api/auth, which expose better-auth's API. Responses pass unchanged; errors become problem documents that
// keep the `code` and `message` that better-auth's clients read.

import { STATUS_CODES } from 'node:http';
import { finished } from 'node:stream';
import { Type } from 'typebox';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { assertSameOrigin } from '../../access/index.ts';
import { problems } from '../../http/index.ts';
import { TooManyAttemptsError } from '../../attempts/index.ts';
import type { AuthCall } from './calls.ts';
import { readFields } from './fields.ts';
import type { AuthGateway } from './gateway.ts';

/** better-auth's code for a user with ten wrong codes in a row, and how long it then refuses all codes. */
const CODES_LOCKED = 'ACCOUNT_TEMPORARILY_LOCKED';
const CODES_LOCKED_SECONDS = 900;
/** Headers of better-auth's response that are not copied: the server sets its own. */
const SKIPPED_HEADERS = new Set(['set-cookie', 'content-length', 'transfer-encoding', 'connection']);

export function authRoutes(
  gateway: AuthGateway,
  calls: readonly AuthCall[],
  publicUrl: string,
): FastifyPluginCallback {
  return (app, _options, done) => {
    // JSON only, parsed once: better-auth also reads forms.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
    app.addHook('onRequest', ({ method, headers, host, protocol }, _reply, next) => {
      assertSameOrigin({ method, headers, host, protocol }, publicUrl);
      next();
    });
    for (const call of calls) {
      const { method, path: url, summary, body, hasOptionalBody = false } = call;
      app.route({
        method,
        url,
        schema: {
          summary,
          tags: ['session'],
          ...(body && { body: hasOptionalBody ? Type.Union([body, Type.Null()]) : body }),
          response: problems(400, 401, 403, ...(body ? ([415] as const) : []), 429),
        },
        handler: async (request, reply) => {
          const { headers, host, ip, id, protocol, log } = request;
          const response = await gateway.handle({
            call,
            headers,
            search: method === 'GET' ? searchOf(request) : '',
            fields: readFields(call, request.body),
            ip,
            origin: `${protocol}://${host}`,
            requestId: id,
            log,
            later: (work) => {
              finished(reply.raw, () => {
                work();
              });
            },
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
  const answer = (await response.json().catch(() => ({}))) as { code?: string; title?: string; message?: string };
  if (answer.code === CODES_LOCKED)
    throw new TooManyAttemptsError('Too many wrong codes: sign in again in a quarter of an hour.', {
      headers: { 'retry-after': `${CODES_LOCKED_SECONDS}` },
    });
  if (status === TooManyAttemptsError.status) {
    const seconds = response.headers.get('x-retry-after') ?? '60';
    throw new TooManyAttemptsError(`Too many attempts from this address: try again in ${seconds} seconds.`, {
      headers: { 'retry-after': seconds },
    });
  }
  const { title = STATUS_CODES[status] ?? 'Error' } = answer;
  const { code = title.toUpperCase().replaceAll(' ', '_'), message = title } = answer;
  if (status >= 500) throw new Error(`better-auth answered ${status} ${code}: ${message}`);
  return { status, title, detail: message, code, requestId, message };
}

function searchOf({ url }: FastifyRequest): string {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start);
}
