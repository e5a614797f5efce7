import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../http/index.ts';
import { AuditFilterSchema, AuditPageSchema, AuditQuerySchema } from './schemas.ts';
import type { AuditLog } from './service.ts';

const tags = ['audit'];
const LINES = {
  description: 'One event per line, oldest first',
  content: { 'application/x-ndjson': { schema: Type.String() } },
};

/** Routes of the audit log: read-only, for superadmins. */
export function auditRoutes(audit: AuditLog): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/audit-events',
      {
        schema: {
          summary: 'List audit events, newest first',
          tags,
          querystring: AuditQuerySchema,
          response: { 200: AuditPageSchema, ...problems(400, 401, 403) },
        },
      },
      (request) => audit.list(request.actor.caller, request.query),
    );

    app.get(
      '/audit-events/export',
      {
        schema: {
          summary: 'Export audit events as JSON Lines',
          tags,
          querystring: AuditFilterSchema,
          response: { 200: LINES, ...problems(400, 401, 403) },
        },
      },
      async (request, reply) => {
        const lines = audit.export(request.actor, request.query);
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .header('content-disposition', 'attachment; filename="audit-events.jsonl"')
          .send(Readable.from(lines) as never);
      },
    );
  };
}
