// A small repository that keeps every architecture rule; violations.ts breaks one rule each.

import type { Dependencies } from './rules.ts';

/** File contents by path. */
export type Tree = Record<string, string>;

export const SAMPLE_TREE: Tree = {
  'api/server.ts': `
    import { readConfig } from './src/config/index.ts';
    import { createApp } from './src/app.ts';
    createApp(readConfig(process.env));`,
  'api/src/app.ts': `
    import { audit } from './audit/index.ts';
    import { createFsStore } from './blobs/index.ts';
    export const createApp = (config: unknown) => [audit, createFsStore, config];`,
  'api/src/config/index.ts': `export { readConfig } from './read-config.ts';`,
  'api/src/config/read-config.ts': `export const readConfig = (env: unknown) => env;`,
  'api/src/errors.ts': `export const defineError = (code: string) => code;`,
  'api/src/db/index.ts': `export { open } from './sqlite.ts';`,
  'api/src/db/sqlite.ts': `
    import { Kysely } from 'kysely';
    import { DatabaseSync } from 'node:sqlite';
    export const open = () => [Kysely, DatabaseSync];`,
  'api/src/audit/index.ts': `
    export { createAudit as audit } from './audit.ts';
    export type * from './schemas.ts';`,
  'api/src/audit/audit.ts': `
    import { auditRoutes } from './routes.ts';
    import { audit } from './service.ts';
    export const createAudit = [auditRoutes, audit];`,
  'api/src/audit/routes.ts': `
    import type { FastifyInstance } from 'fastify';
    import { audit } from './service.ts';
    import { Event } from './schemas.ts';
    export const auditRoutes = (app: FastifyInstance) => [app, audit, Event];`,
  'api/src/audit/service.ts': `
    import { append } from './repository.ts';
    import { fold } from './operations.ts';
    import type { Transaction } from 'kysely';
    export const audit = (tx: Transaction<object>) => append(tx, fold('x'));`,
  'api/src/audit/event.ts': `
    import type { Account } from '../access/index.ts';
    import { fold } from './operations.ts';
    export const render = (account: Account) => fold(account);`,
  'api/src/audit/repository.ts': `import { render } from './event.ts';
    import type { Stored } from './stored.ts';
    import { sql } from 'kysely';
    import { open } from '../db/index.ts';
    export const append = (db: ReturnType<typeof open>, x: unknown) =>
      [db.insertInto('x'), sql, x, render] as Stored;`,
  'api/src/audit/stored.ts': `
    import { open } from 'node:fs';
    export type Stored = typeof open;`,
  'api/src/audit/operations.ts': `
    import { createHash } from 'node:crypto';
    import { NAME } from './schemas.ts';
    export const fold = (text: string) => createHash(NAME + text);`,
  'api/src/audit/schemas.ts': `
    import { Type } from 'typebox';
    export const NAME = 'x';
    export const Event = Type.Object({});`,
  'api/src/audit/archive.ts': `
    import { createTarReader } from '../../../lib-node/src/tar/index.ts';
    export const open = createTarReader;`,
  'api/src/blobs/index.ts': `
    export { createFsStore } from './drivers/fs.ts';
    export { type BlobStore } from './blob-store.ts';`,
  'api/src/blobs/blob-store.ts': `
    import { defineError } from '../errors.ts';
    export type BlobStore = object;
    export const check = defineError;`,
  'api/src/blobs/drivers/fs.ts': `
    import { open } from 'node:fs';
    import type { BlobStore } from '../blob-store.ts';
    import { read } from './fs-reader.ts';
    export const createFsStore = (): BlobStore => [open, read];`,
  'api/src/blobs/drivers/fs-reader.ts': `
    import { check } from '../blob-store.ts';
    export const read = check;`,
  'api/test/blobs/fs.unit.test.ts': `
    import { createFsStore } from '../../src/blobs/drivers/fs.ts';
    import { ensureArtefact } from '@berth-registry/lib-node';
    createFsStore();
    ensureArtefact();`,
  'lib-node/src/index.ts': `
    import { Parser } from 'tar';
    export const ensureArtefact = () => Parser;`,
  'lib-node/src/tar/index.ts': `export { createTarReader } from './reader.ts';`,
  'lib-node/src/tar/reader.ts': `
    import { Header } from 'tar/header';
    export const createTarReader = Header;`,
  'cli/src/main.ts': `
    import { ensureArtefact } from '@berth-registry/lib-node';
    export const serve = async () => [ensureArtefact, await import('../../api/index.ts')];`,
  'ui/src/pages/HomePage.vue': `
    <template><p/></template>
    <script setup lang="ts">import { ref } from 'vue';</script>`,
};

/** The libraries that the packages of the sample tree list. */
export const SAMPLE_DEPENDENCIES: Dependencies = {
  'api': {
    code: new Set(['fastify', 'kysely', 'typebox', 'pg', 's3', 'ftp', 'tar']),
    tests: new Set(['fastify', 'kysely', 'typebox', 'pg', 'tar']),
  },
  'lib-node': { code: new Set(['tar']), tests: new Set(['tar']) },
  'ui': { code: new Set(['vue']), tests: new Set(['vue']) },
};
