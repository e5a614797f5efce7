import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { LARGE_BODY_LIMIT_BYTES, eventStreams, problems, type EventStreamOptions } from '../http/index.ts';
import { SVG_CONTENT_SECURITY_POLICY, ThumbnailNotFoundError } from '../thumbnails/index.ts';
import {
  CreateRemoteSchema,
  PatchRemoteSchema,
  RemoteArtefactListSchema,
  RemoteListQuerySchema,
  RemoteListSchema,
  RemoteParamsSchema,
  RemoteSchema,
  RemoteThumbnailParamsSchema,
  SelectedParamsSchema,
  SelectSchema,
  SyncQuerySchema,
} from './schemas.ts';
import type { Remotes } from './service.ts';

const tags = ['remote registries'];
const NO_CONTENT = Type.Null({ description: 'Done' });
const IMAGE = { description: 'The image', content: { 'image/*': { schema: Type.String({ format: 'binary' }) } } };

/** Routes of federation, for superadmins: remote registries, their selected artefacts and synchronisations. */
export function remoteRoutes(remotes: Remotes, streams: EventStreamOptions = {}): FastifyPluginAsyncTypebox {
  return async (app) => {
    const openStream = eventStreams(app, streams);

    app.get(
      '/remote-registries',
      {
        schema: {
          summary: 'List remote registries',
          tags,
          response: { 200: RemoteListSchema, ...problems(401, 403) },
        },
      },
      async (request) => await remotes.list(request.actor.caller),
    );

    app.post(
      '/remote-registries',
      {
        bodyLimit: LARGE_BODY_LIMIT_BYTES,
        schema: {
          summary: 'Add a remote registry',
          tags,
          body: CreateRemoteSchema,
          response: { 201: RemoteSchema, ...problems(400, 401, 403, 409) },
        },
      },
      async (request, reply) => reply.code(201).send(await remotes.create(request.actor, request.body)),
    );

    app.get(
      '/remote-registries/:id',
      {
        schema: {
          summary: 'Read a remote registry',
          tags,
          params: RemoteParamsSchema,
          response: { 200: RemoteSchema, ...problems(401, 403, 404) },
        },
      },
      async (request) => await remotes.get(request.actor.caller, request.params.id),
    );

    app.patch(
      '/remote-registries/:id',
      {
        bodyLimit: LARGE_BODY_LIMIT_BYTES,
        schema: {
          summary: 'Change a remote registry',
          tags,
          params: RemoteParamsSchema,
          body: PatchRemoteSchema,
          response: { 200: RemoteSchema, ...problems(400, 401, 403, 404) },
        },
      },
      async (request) => await remotes.patch(request.actor, request.params.id, request.body),
    );

    app.delete(
      '/remote-registries/:id',
      {
        schema: {
          summary: 'Remove a remote registry',
          description: 'Its mirrors become local artefacts.',
          tags,
          params: RemoteParamsSchema,
          response: { 204: NO_CONTENT, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await remotes.delete(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/remote-registries/:id/remote-artefacts',
      {
        schema: {
          summary: 'List the artefacts of a remote registry',
          description: 'Each with the state of its mirror here; deprecated ones only if they are selected.',
          tags,
          params: RemoteParamsSchema,
          querystring: RemoteListQuerySchema,
          response: { 200: RemoteArtefactListSchema, ...problems(400, 401, 403, 404, 502) },
        },
      },
      async (request, reply) => {
        const page = await remotes.browse.list(request.actor.caller, request.params.id, request.query);
        return reply.type('application/json; charset=utf-8').send(page as never);
      },
    );

    app.get(
      '/remote-registries/:id/remote-thumbnails/:thumbnailId/data',
      {
        schema: {
          summary: 'Get a thumbnail of a remote registry',
          tags,
          params: RemoteThumbnailParamsSchema,
          response: { 200: IMAGE, ...problems(400, 401, 403, 404, 502) },
        },
      },
      async (request, reply) => {
        const image = await remotes.browse.thumbnail(
          request.actor.caller,
          request.params.id,
          request.params.thumbnailId,
        );
        if (!image) throw new ThumbnailNotFoundError('The remote registry has no thumbnail with this id.');
        return reply
          .headers({ 'x-content-type-options': 'nosniff', 'content-security-policy': SVG_CONTENT_SECURITY_POLICY })
          .type(image.contentType)
          .send(Buffer.from(image.bytes.buffer, image.bytes.byteOffset, image.bytes.length) as never);
      },
    );

    app.post(
      '/remote-registries/:id/selected-artefacts',
      {
        schema: {
          summary: 'Select an artefact, to be mirrored in the background',
          description: 'By a run that begins now, or straight after the one in progress: see `syncState`.',
          tags,
          params: RemoteParamsSchema,
          body: SelectSchema,
          response: { 201: RemoteSchema, ...problems(400, 401, 403, 404, 409) },
        },
      },
      async (request, reply) =>
        reply.code(201).send(await remotes.select(request.actor, request.params.id, request.body.artefactId)),
    );

    app.delete(
      '/remote-registries/:id/selected-artefacts/:artefactId',
      {
        schema: {
          summary: 'Unselect an artefact; its mirror becomes local',
          tags,
          params: SelectedParamsSchema,
          response: { 204: NO_CONTENT, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await remotes.unselect(request.actor, request.params.id, request.params.artefactId);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/remote-registries/:id/sync',
      {
        schema: {
          summary: 'Synchronise now',
          description:
            'Merged into a run that is due and has not begun, which then does what both requests ask for; 409 ' +
            '`sync_running` once a run has begun.',
          tags,
          params: RemoteParamsSchema,
          querystring: SyncQuerySchema,
          response: { 202: RemoteSchema, ...problems(400, 401, 403, 404, 409) },
        },
      },
      async (request, reply) =>
        reply.code(202).send(await remotes.sync(request.actor, request.params.id, request.query)),
    );

    app.get(
      '/remote-registries/:id/events',
      {
        schema: {
          summary: 'Watch a synchronisation as server-sent events',
          description:
            'Sends `sync` events, each with the registry as GET /remote-registries/:id returns it: first its ' +
            'present state, then every change, whichever replica runs the synchronisation.',
          tags,
          params: RemoteParamsSchema,
          response: {
            200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: Type.String() } } },
            ...problems(401, 403, 404),
          },
        },
      },
      async (request, reply) => {
        const { watch, isAllowed } = await remotes.watcherFor(request.actor, request.params.id);
        const stream = openStream(reply, { isAllowed });
        stream.onClose(
          watch((remote) => {
            stream.send({ event: 'sync', data: JSON.stringify(remote) });
          }),
        );
        return reply;
      },
    );
  };
}
