import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../../http/index.ts';
import { DepartmentIdSchema, PageQuerySchema, PageSchema } from '../schemas.ts';
import type { MemberService } from './members.ts';
import {
  DepartmentSchema,
  MembershipSchema,
  MemberSchema,
  NamedSchema,
  NewOrganizationSchema,
  OrganizationDetailsSchema,
  OrganizationSchema,
} from './schemas.ts';
import type { OrganizationService } from './service.ts';

const tags = ['organisations'];
const params = Type.Object({ id: Type.String() });
const memberParams = Type.Object({ id: Type.String(), userId: Type.String() });
const departmentParams = Type.Object({ id: Type.String(), department: DepartmentIdSchema });

export function organizationRoutes(
  organizations: OrganizationService,
  members: MemberService,
): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/organizations',
      {
        schema: {
          summary: 'Create an organisation',
          tags,
          body: NewOrganizationSchema,
          response: { 201: OrganizationSchema, ...problems(400, 401, 403, 409) },
        },
      },
      async (request, reply) => reply.code(201).send(await organizations.create(request.actor, request.body)),
    );

    app.get(
      '/organizations',
      {
        schema: {
          summary: 'List organisations by name',
          tags,
          querystring: PageQuerySchema,
          response: { 200: PageSchema(OrganizationSchema), ...problems(400, 401, 403) },
        },
      },
      (request) => organizations.list(request.actor.caller, request.query),
    );

    app.get(
      '/organizations/:id',
      {
        schema: {
          summary: 'Get an organisation with its departments and members',
          tags,
          params,
          response: { 200: OrganizationDetailsSchema, ...problems(400, 401, 403, 404) },
        },
      },
      (request) => organizations.find(request.actor.caller, request.params.id),
    );

    app.patch(
      '/organizations/:id',
      {
        schema: {
          summary: 'Rename an organisation',
          tags,
          params,
          body: NamedSchema,
          response: { 200: OrganizationSchema, ...problems(400, 401, 403, 404) },
        },
      },
      (request) => organizations.rename(request.actor, request.params.id, request.body.name),
    );

    app.delete(
      '/organizations/:id',
      {
        schema: {
          summary: 'Delete an organisation',
          tags,
          params,
          response: { 204: Type.Null(), ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        await organizations.remove(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.put(
      '/organizations/:id/members/:userId',
      {
        schema: {
          summary: 'Add a member, or change their role and departments',
          tags,
          params: memberParams,
          body: MembershipSchema,
          response: { 200: MemberSchema, ...problems(400, 401, 403, 404) },
        },
      },
      (request) => members.save(request.actor, request.params.id, request.params.userId, request.body),
    );

    app.delete(
      '/organizations/:id/members/:userId',
      {
        schema: {
          summary: 'Remove a member',
          tags,
          params: memberParams,
          response: { 204: Type.Null(), ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        await members.remove(request.actor, request.params.id, request.params.userId);
        return reply.code(204).send(null);
      },
    );

    app.put(
      '/organizations/:id/departments/:department',
      {
        schema: {
          summary: 'Create or rename a department',
          tags,
          params: departmentParams,
          body: NamedSchema,
          response: { 200: DepartmentSchema, ...problems(400, 401, 403, 404) },
        },
      },
      (request) =>
        organizations.saveDepartment(request.actor, request.params.id, {
          id: request.params.department,
          name: request.body.name,
        }),
    );

    app.delete(
      '/organizations/:id/departments/:department',
      {
        schema: {
          summary: 'Delete a department',
          tags,
          params: departmentParams,
          response: { 204: Type.Null(), ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        await organizations.removeDepartment(request.actor, request.params.id, request.params.department);
        return reply.code(204).send(null);
      },
    );

    done();
  };
}
