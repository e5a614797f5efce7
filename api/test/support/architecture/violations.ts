// Changes to the sample tree, each with the rule that it breaks and the lines that the rule must report.

import type { RULES } from './rules.ts';
import type { Tree } from './sample-tree.ts';

/** `files` are added to the sample tree, or replace files of it. */
export const VIOLATIONS: [rule: keyof typeof RULES, files: Tree, reported: string[]][] = [
  [
    'in the web interface, pages import features, features import components, and nothing imports upwards',
    {
      'ui/src/components/list.vue': `<script setup lang="ts">
        import Card from '../features/cards/card.vue';</script>`,
      'ui/src/features/cards/card.vue': `<script setup lang="ts">
        import Home from '../../pages/HomePage.vue';
        import { routes } from '../../routes.ts';</script>`,
      'ui/src/routes.ts': `import Home from './pages/HomePage.vue'; export const routes = [Home];`,
    },
    [
      'ui/src/components/list.vue:2 imports ../features/cards/card.vue',
      'ui/src/features/cards/card.vue:2 imports ../../pages/HomePage.vue',
      'ui/src/features/cards/card.vue:3 imports ../../routes.ts',
    ],
  ],
  [
    'a page of the web interface has at most 150 lines',
    { 'ui/src/pages/HomePage.vue': '<template/>\n'.repeat(151) },
    ['ui/src/pages/HomePage.vue has 151 lines'],
  ],
  [
    'within a slice, routes import services, and services import repositories and operations',
    { 'api/src/audit/repository.ts': `import { audit } from './service.ts'; export const append = audit;` },
    ['api/src/audit/repository.ts:1 imports ./service.ts'],
  ],
  [
    'within a slice, routes import services, and services import repositories and operations',
    {
      'api/src/audit/list.ts': `import type { auditRoutes } from './routes.ts';
        export { audit } from './index.ts';
        export type It = typeof auditRoutes;`,
    },
    ['api/src/audit/list.ts:1 imports ./routes.ts', 'api/src/audit/list.ts:2 imports ./index.ts'],
  ],
  [
    'within a slice, routes import services, and services import repositories and operations',
    { 'api/src/audit/event.ts': `import 'node:fs'; import './audit.ts'; export const render = 1;` },
    ['api/src/audit/event.ts:1 imports ./audit.ts', 'api/src/audit/repository.ts:1 imports ./event.ts'],
  ],
  [
    'within a slice, routes import services, and services import repositories and operations',
    { 'api/src/audit/operations.ts': `export const fold = async () => await import('./event-repository.ts');` },
    ['api/src/audit/operations.ts:1 imports ./event-repository.ts'],
  ],
  [
    'a slice imports only lower slices, and only their index.ts, except in worker thread programs',
    { 'api/src/blobs/sweep.ts': `import { append } from '../audit/repository.ts'; export const sweep = append;` },
    ['api/src/blobs/sweep.ts:1 imports ../audit/repository.ts'],
  ],
  [
    'a slice imports only lower slices, and only their index.ts, except in worker thread programs',
    {
      'api/src/blobs/sweep-worker.ts': `import { open } from '../db/sqlite.ts';
        import { append } from '../audit/repository.ts';
        open(append);`,
      'api/src/audit/audit-worker.ts': `import { check } from '../blobs/blob-store.ts'; check('x');`,
    },
    ['api/src/audit/audit-worker.ts:1 imports ../blobs/blob-store.ts'],
  ],
  [
    'a slice imports only lower slices, and only their index.ts, except in worker thread programs',
    { 'api/src/audit/service.ts': `\nexport type { BlobStore as audit } from '../blobs/index.ts';` },
    ['api/src/audit/service.ts:2 imports ../blobs/index.ts'],
  ],
  [
    'a slice imports only lower slices, and only their index.ts, except in worker thread programs',
    { 'api/src/db/sqlite.ts': `export const open = (app: import('../app.ts').App) => app;` },
    ['api/src/db/sqlite.ts:1 imports ../app.ts'],
  ],
  [
    'a slice imports only lower slices, and only their index.ts, except in worker thread programs',
    { 'api/src/app.ts': `export { append } from './audit/repository.ts'; export { deliver } from './post/index.ts';` },
    ['api/src/app.ts:1 imports ./audit/repository.ts', 'api/src/app.ts:1 imports ./post/index.ts'],
  ],
  [
    'slices have no import cycles',
    {
      'api/src/http/pages.ts': `export { open } from '../db/index.ts';`,
      'api/src/db/sqlite.ts': `export { lease as open } from '../jobs/index.ts';`,
      'api/src/jobs/index.ts': `export { lease } from '../http/index.ts';`,
    },
    ['db, http, jobs form an import cycle'],
  ],
  [
    'files have no import cycles, types included',
    {
      'api/src/audit/event.ts': `import type { Who } from './who.ts'; export type Event = Who;`,
      'api/src/audit/who.ts': `import type { Event } from './event.ts'; export type Who = Event;`,
    },
    ['api/src/audit/event.ts, api/src/audit/who.ts form an import cycle'],
  ],
  [
    'only the files that start the process read the configuration and the environment',
    {
      'api/src/audit/service.ts': `import { readConfig } from '../config/index.ts';
        export const audit = readConfig(process.env.PORT);`,
      'api/src/app.ts': `import './secrets.ts';`,
    },
    [
      'api/src/app.ts:1 imports ./secrets.ts',
      'api/src/audit/service.ts:1 imports ../config/index.ts',
      'api/src/audit/service.ts:2 reads process.env',
    ],
  ],
  [
    'no module of the server holds state',
    {
      'api/src/audit/service.ts': `export const audit = () => { let inside = 0; return inside++; };
        let count = 0;
        export var other = count++;`,
    },
    [
      'api/src/audit/service.ts:2 declares a module-level variable',
      'api/src/audit/service.ts:3 declares a module-level variable',
    ],
  ],
  [
    'a driver imports its interface and one library, and a test runs it',
    {
      'api/src/blobs/drivers/s3.ts': `import '../blob-store.ts';
        import '../sweep.ts';
        import './fs.ts';
        import '../../db/index.ts';
        import 's3';
        import 'ftp';`,
    },
    [
      'api/src/blobs/drivers/s3.ts:3 imports ./fs.ts',
      'api/src/blobs/drivers/s3.ts:4 imports ../../db/index.ts',
      'api/src/blobs/drivers/s3.ts imports more than its interface: ' +
        'api/src/blobs/blob-store.ts, api/src/blobs/sweep.ts',
      'api/src/blobs/drivers/s3.ts imports more than one library: s3, ftp',
      'api/src/blobs/drivers/s3.ts is not run by any test',
    ],
  ],
  [
    'operations and the policy do no I/O',
    {
      'api/src/access/policy.ts': `import './caller.ts';
        import type { FastifyRequest } from 'fastify';
        export type It = FastifyRequest;`,
      'api/src/access/caller.ts': `import 'node:fs/promises';`,
    },
    ['api/src/access/policy.ts:2 imports fastify', 'api/src/access/caller.ts:1 imports node:fs/promises'],
  ],
  [
    'only repositories and db/ contain SQL',
    {
      'api/src/audit/service.ts': `import { sql } from 'kysely';
        export const audit = (db: any) => [sql, db.
          selectFrom('x')];`,
      'api/src/audit/routes.ts': `import type { Kysely } from 'kysely';
        import pg from 'pg';
        export const it: Kysely<object> = pg;`,
    },
    [
      'api/src/audit/routes.ts:1 imports kysely',
      'api/src/audit/routes.ts:2 imports pg',
      'api/src/audit/service.ts:1 imports kysely',
      'api/src/audit/service.ts:3 builds an SQL statement',
    ],
  ],
  [
    'work for the caller of a request runs in transactions of changeAs, which reads the caller again',
    {
      'api/src/audit/service.ts': `import { enforce, type Actor as Who } from '../access/index.ts';
        export const audit = (database: any, actor: Who) => [enforce(actor), database.
          transaction(() => actor)];`,
      'api/src/audit/list.ts': `import type { CurrentActor } from '../access/index.ts';
        export const list = (database: any, actor: CurrentActor) => database.transaction(() => actor);`,
    },
    ['api/src/audit/service.ts:3 begins a transaction of its own'],
  ],
  [
    'changes are recorded by recordChange, for the audit log and for consumers',
    {
      'api/src/artefacts/edit.ts': `import { appendAudit as append } from '../audit/index.ts';
        export const edit = [append];`,
    },
    ['api/src/artefacts/edit.ts:1 imports ../audit/index.ts'],
  ],
  [
    'the index.ts of a slice contains only named re-exports',
    {
      'api/src/audit/index.ts': `export * from './service.ts';
        export const more = 1;
        export { audit } from './service.ts';`,
    },
    ['api/src/audit/index.ts:1 is not a named re-export', 'api/src/audit/index.ts:2 is not a named re-export'],
  ],
  [
    'a package imports only the packages that it may depend on',
    {
      'cli/src/backup.ts': `import '@berth-registry/api';\nawait import('../../api/src/app.ts');`,
      'lib-node/src/wire.ts': `import '../../api/src/app.ts';`,
      'lib-node/test/x.unit.test.ts': `await import('@berth-registry/api');`,
      'api/src/audit/pull.ts': `import '@berth-registry/lib-node';\nimport '../../../lib-node/src/tar/reader.ts';`,
    },
    [
      'api/src/audit/pull.ts:1 imports @berth-registry/lib-node',
      'api/src/audit/pull.ts:2 imports ../../../lib-node/src/tar/reader.ts',
      'cli/src/backup.ts:1 imports @berth-registry/api',
      'cli/src/backup.ts:2 imports ../../api/src/app.ts',
      'lib-node/src/wire.ts:1 imports ../../api/src/app.ts',
      'lib-node/test/x.unit.test.ts:1 imports @berth-registry/api',
    ],
  ],
  [
    'a package imports only the libraries in its package.json',
    {
      'lib-node/src/index.ts': `import 'tar/parse'; import 'undici';`,
      'ui/src/pages/HomePage.vue': `<template>
        </template>
        <script setup lang="ts">
        import it from 'lodash';
        </script>`,
      'api/test/x.unit.test.ts': `import 's3';`,
    },
    [
      'api/test/x.unit.test.ts:1 imports s3',
      'lib-node/src/index.ts:1 imports undici',
      'ui/src/pages/HomePage.vue:4 imports lodash',
    ],
  ],
  [
    'the part of lib-node that the server shares imports only itself and libraries in both package.json',
    { 'lib-node/src/tar/reader.ts': `import 'node:fs';\nimport '../index.ts'; export const createTarReader = 1;` },
    ['lib-node/src/tar/reader.ts:1 imports node:fs', 'lib-node/src/tar/reader.ts:2 imports ../index.ts'],
  ],
  [
    'the server imports no computed paths',
    { 'api/src/audit/service.ts': `export const audit = async (name: string) => await import(name);` },
    ['api/src/audit/service.ts:1 imports a computed path'],
  ],
  [
    'files have kebab-case names that describe their content',
    { 'api/src/audit/utils.ts': '', 'cli/src/models/ship.ts': '', 'lib-node/src/ensureArtefact.ts': '' },
    [
      'api/src/audit/utils.ts is named after its kind',
      'lib-node/src/ensureArtefact.ts is not in kebab-case',
      'cli/src/models/ship.ts is named after its kind',
    ],
  ],
  [
    'a file has at most 300 lines',
    {
      'api/src/audit/routes.ts': 'export {};\n'.repeat(301),
      'api/src/audit/list.ts': 'export {};\n'.repeat(300),
    },
    ['api/src/audit/routes.ts has 301 lines'],
  ],
];
