import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { enforce, policy } from '../access/index.ts';
import { isNotModified, problems } from '../http/index.ts';
import type { ArtefactServices } from './service.ts';
import {
  ArtefactListSchema,
  ArtefactSchema,
  CategoryListSchema,
  GroupListSchema,
  GroupsQuerySchema,
  IdParamsSchema,
  ListQuerySchema,
  PatchSchema,
  SlotParamsSchema,
} from './schemas.ts';

/** Descriptions of 20,000 characters in two languages are 480 KB if all are escaped; access lists add to them. */
const PATCH_LIMIT_BYTES = 1024 * 1024;
const NO_CONTENT = Type.Null({ description: 'Done' });

/** Reads, lists, edits and deletes artefacts. transfer-routes.ts has uploads and downloads. */
export function artefactRoutes({ read, edit }: ArtefactServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/artefacts',
      {
        schema: {
          summary: 'List artefacts',
          tags: ['artefacts'],
          querystring: ListQuerySchema,
          response: { 200: ArtefactListSchema, ...problems(400, 401) },
        },
      },
      async (request, reply) => sendDocument(reply, await read.list(request.actor.caller, request.query)),
    );

    app.get(
      '/artefacts/groups',
      {
        schema: {
          summary: 'List group names',
          tags: ['artefacts'],
          querystring: GroupsQuerySchema,
          response: { 200: GroupListSchema, ...problems(400, 401, 403) },
        },
      },
      async (request) => ({
        results: await read.groups(request.actor.caller, request.query.category, request.query.locale),
      }),
    );

    app.get(
      '/categories',
      {
        schema: {
          summary: 'List the categories of this registry',
          tags: ['artefacts'],
          response: { 200: CategoryListSchema },
        },
      },
      async () => ({ results: read.categories }),
    );

    app.get(
      '/artefacts/:id',
      {
        schema: {
          summary: 'Read an artefact',
          tags: ['artefacts'],
          params: IdParamsSchema,
          response: {
            200: ArtefactSchema,
            304: Type.Null({ description: 'Not modified' }),
            ...problems(401, 403, 404),
          },
        },
      },
      async (request, reply) => {
        const { json, etag } = await read.get(request.actor.caller, request.params.id);
        reply.header('etag', etag);
        if (isNotModified(request.headers, { etag })) return sendNotModified(reply);
        return sendDocument(reply, json);
      },
    );

    app.patch(
      '/artefacts/:id',
      {
        bodyLimit: PATCH_LIMIT_BYTES,
        // Before the body is parsed, which takes time: nobody else may send one as large.
        onRequest: async ({ actor }) => {
          enforce(policy.editArtefact(actor.caller));
        },
        schema: {
          summary: 'Change metadata and access',
          tags: ['artefacts'],
          params: IdParamsSchema,
          body: PatchSchema,
          response: { 200: ArtefactSchema, ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => sendDocument(reply, await edit.patch(request.actor, request.params.id, request.body)),
    );

    app.delete(
      '/artefacts/:id',
      {
        schema: {
          summary: 'Delete an artefact',
          tags: ['artefacts'],
          params: IdParamsSchema,
          response: { 204: NO_CONTENT, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await edit.delete(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/artefacts/:id/tarballs/:architecture',
      {
        schema: {
          summary: 'Delete one slot',
          tags: ['artefacts'],
          params: SlotParamsSchema,
          response: { 204: NO_CONTENT, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await edit.deleteSlot(request.actor, request.params.id, request.params.architecture);
        return reply.code(204).send(null);
      },
    );
  };
}

/** Sends no body: clients would read the length of a 304 as that of the document (RFC 9110, 8.6). */
function sendNotModified(reply: FastifyReply): never {
  return reply.code(304).send() as never;
}

/** Sends stored rendered documents without serialising them again. */
function sendDocument(reply: FastifyReply, json: string | Uint8Array | Readable): never {
  return reply.type('application/json; charset=utf-8').send(json) as never;
}
