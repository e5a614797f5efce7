import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { RULES, type HouseRules } from './support/architecture.ts';
import { readSourceFiles, type SourceFile } from './support/source-files.ts';

type RuleName = keyof typeof RULES;
type Tree = Record<string, string>;

const repositoryRoot = resolve(import.meta.dirname, '../..');
const ruleNames = Object.keys(RULES) as RuleName[];

/** Files over 300 lines, each with what would be worse about two. */
const REASONS_FOR_LENGTH: Record<string, string> = {};

describe('in this repository', () => {
  const files = readSourceFiles(repositoryRoot);
  const house = { dependencies: readDependencies(), reasonsForLength: REASONS_FOR_LENGTH };
  for (const rule of ruleNames)
    test(rule, () => {
      assert.deepEqual(RULES[rule](files, house), []);
    });
});

/** A small house that keeps every rule; the cases below break one each. */
const HOUSE: Tree = {
  'api/server.ts':
    `import { readConfig } from './src/config.ts'; import { createApp } from './src/app.ts'; ` +
    'createApp(readConfig(process.env));',
  'api/src/app.ts':
    `import { audit } from './audit/index.ts'; import { createFsStore } from './blobs/index.ts'; ` +
    'export const createApp = (config: unknown) => [audit, createFsStore, config];',
  'api/src/config.ts': `export const readConfig = (env: unknown) => env;`,
  'api/src/errors.ts': `export const defineError = (code: string) => code;`,
  'api/src/db/index.ts': `export { open } from './sqlite.ts';`,
  'api/src/db/sqlite.ts':
    `import { Kysely } from 'kysely'; import { DatabaseSync } from 'node:sqlite'; export ` +
    'const open = () => [Kysely, DatabaseSync];',
  'api/src/audit/index.ts': `export { createAudit as audit } from './audit.ts';\nexport type * from './schemas.ts';`,
  'api/src/audit/audit.ts':
    `import { auditRoutes } from './routes.ts'; import { audit } from './service.ts'; ` +
    'export const createAudit = [auditRoutes, audit];',
  'api/src/audit/routes.ts':
    `import type { FastifyInstance } from 'fastify'; import { audit } from ` +
    `'./service.ts'; import { Event } from './schemas.ts'; export const auditRoutes = (app: FastifyInstance) => ` +
    '[app, audit, Event];',
  'api/src/audit/service.ts':
    `import { append } from './repository.ts'; import { fold } from './operations.ts'; ` +
    `import type { Transaction } from 'kysely'; export const audit = (tx: Transaction<object>) => append(tx, ` +
    `fold('x'));`,
  'api/src/audit/event.ts':
    `import type { Account } from '../access/index.ts'; import { fold } from ` +
    `'./operations.ts'; export const render = (account: Account) => fold(account);`,
  'api/src/audit/repository.ts':
    `import { render } from './event.ts'; import type { Kept } from './kept.ts'; ` +
    `import { sql } from 'kysely'; import { open } from '../db/index.ts'; export const append = (db: ` +
    `ReturnType<typeof open>, x: unknown) => [db.insertInto('x'), sql, x, render] as Kept;`,
  'api/src/audit/kept.ts': `import { open } from 'node:fs'; export type Kept = typeof open;`,
  'api/src/audit/operations.ts':
    `import { createHash } from 'node:crypto'; import { NAME } from './schemas.ts'; ` +
    'export const fold = (text: string) => createHash(NAME + text);',
  'api/src/audit/schemas.ts':
    `import { Type } from 'typebox'; export const NAME = 'x'; export const Event = ` + 'Type.Object({});',
  'api/src/blobs/index.ts':
    `export { createFsStore } from './drivers/fs.ts';\nexport { type BlobStore } from ` + `'./blob-store.ts';`,
  'api/src/blobs/blob-store.ts':
    `import { defineError } from '../errors.ts'; export type BlobStore = object; ` +
    'export const check = defineError;',
  'api/src/blobs/drivers/fs.ts':
    `import { open } from 'node:fs'; import type { BlobStore } from ` +
    `'../blob-store.ts'; import { read } from './fs-reader.ts'; export const createFsStore = (): BlobStore => ` +
    '[open, read];',
  'api/src/blobs/drivers/fs-reader.ts': `import { check } from '../blob-store.ts'; export const read = check;`,
  'api/test/blobs/fs.unit.test.ts':
    `import { createFsStore } from '../../src/blobs/drivers/fs.ts'; import { ` +
    `ensureArtefact } from '@berth-registry/lib-node'; createFsStore(); ensureArtefact();`,
  'lib-node/src/index.ts': `import { Parser } from 'tar'; export const ensureArtefact = () => Parser;`,
  'lib-node/src/tar/index.ts': `export { createTarReader } from './reader.ts';`,
  'lib-node/src/tar/reader.ts': `import { Header } from 'tar/header'; export const createTarReader = Header;`,
  'api/src/audit/archive.ts':
    `import { createTarReader } from '../../../lib-node/src/tar/index.ts'; export ` + 'const open = createTarReader;',
  'cli/src/main.ts':
    `import { ensureArtefact } from '@berth-registry/lib-node'; export const serve = async () ` +
    `=> [ensureArtefact, await import('../../api/index.ts')];`,
  'ui/src/pages/HomePage.vue':
    `<template><p/></template>\n<script setup lang="ts">import { ref } from ` + `'vue';</script>`,
};

const DEPENDENCIES: HouseRules['dependencies'] = {
  'api': {
    code: new Set(['fastify', 'kysely', 'typebox', 'pg', 's3', 'ftp', 'tar']),
    tests: new Set(['fastify', 'kysely', 'typebox', 'pg', 'tar']),
  },
  'lib-node': { code: new Set(['tar']), tests: new Set(['tar']) },
  'ui': { code: new Set(['vue']), tests: new Set(['vue']) },
};

const lines = (count: number) => 'export {};\n'.repeat(count);

/** Each adds files to the house, or replaces some, and is caught by the rule with exactly these lines. */
const BREACHES: [rule: RuleName, files: Tree, lines: string[]][] = [
  [
    'in the web interface, pages know features, features know components, and nothing knows what stands above it',
    {
      'ui/src/components/list.vue':
        `<script setup lang="ts">\nimport Card from ` + `'../features/cards/card.vue';</script>`,
      'ui/src/features/cards/card.vue':
        `<script setup lang="ts">import Home from '../../pages/HomePage.vue'; ` +
        `import { routes } from '../../routes.ts';</script>`,
      'ui/src/routes.ts': `import Home from './pages/HomePage.vue'; export const routes = [Home];`,
    },
    [
      'ui/src/components/list.vue:2 imports ../features/cards/card.vue',
      'ui/src/features/cards/card.vue:1 imports ../../pages/HomePage.vue',
      'ui/src/features/cards/card.vue:1 imports ../../routes.ts',
    ],
  ],
  [
    'a page of the web interface has at most 150 lines',
    { 'ui/src/pages/HomePage.vue': '<template/>\n'.repeat(151) },
    ['ui/src/pages/HomePage.vue has 151 lines'],
  ],
  [
    'inside a slice, routes know services, services know repositories and operations',
    { 'api/src/audit/repository.ts': `import { audit } from './service.ts'; export const append = audit;` },
    ['api/src/audit/repository.ts:1 imports ./service.ts'],
  ],
  [
    'inside a slice, routes know services, services know repositories and operations',
    {
      'api/src/audit/list.ts':
        `import type { auditRoutes } from './routes.ts';\nexport { audit } from ` +
        `'./index.ts'; export type It = typeof auditRoutes;`,
    },
    ['api/src/audit/list.ts:1 imports ./routes.ts', 'api/src/audit/list.ts:2 imports ./index.ts'],
  ],
  [
    'inside a slice, routes know services, services know repositories and operations',
    { 'api/src/audit/event.ts': `import 'node:fs'; import './audit.ts'; export const render = 1;` },
    ['api/src/audit/event.ts:1 imports ./audit.ts', 'api/src/audit/repository.ts:1 imports ./event.ts'],
  ],
  [
    'inside a slice, routes know services, services know repositories and operations',
    { 'api/src/audit/operations.ts': `export const fold = async () => await import('./event-repository.ts');` },
    ['api/src/audit/operations.ts:1 imports ./event-repository.ts'],
  ],
  [
    'a slice knows another only further down, and only through its index.ts, but for the program of a thread',
    { 'api/src/blobs/sweep.ts': `import { append } from '../audit/repository.ts'; export const sweep = append;` },
    ['api/src/blobs/sweep.ts:1 imports ../audit/repository.ts'],
  ],
  [
    'a slice knows another only further down, and only through its index.ts, but for the program of a thread',
    {
      'api/src/blobs/sweep-worker.ts':
        `import { open } from '../db/sqlite.ts';\nimport { append } from ` + `'../audit/repository.ts'; open(append);`,
      'api/src/audit/audit-worker.ts': `import { check } from '../blobs/blob-store.ts'; check('x');`,
    },
    ['api/src/audit/audit-worker.ts:1 imports ../blobs/blob-store.ts'],
  ],
  [
    'a slice knows another only further down, and only through its index.ts, but for the program of a thread',
    { 'api/src/audit/service.ts': `\nexport type { BlobStore as audit } from '../blobs/index.ts';` },
    ['api/src/audit/service.ts:2 imports ../blobs/index.ts'],
  ],
  [
    'a slice knows another only further down, and only through its index.ts, but for the program of a thread',
    { 'api/src/db/sqlite.ts': `export const open = (app: import('../app.ts').App) => app;` },
    ['api/src/db/sqlite.ts:1 imports ../app.ts'],
  ],
  [
    'a slice knows another only further down, and only through its index.ts, but for the program of a thread',
    { 'api/src/app.ts': `export { append } from './audit/repository.ts'; export { deliver } from './post/index.ts';` },
    ['api/src/app.ts:1 imports ./audit/repository.ts', 'api/src/app.ts:1 imports ./post/index.ts'],
  ],
  [
    'no slices know each other in a circle',
    {
      'api/src/http/pages.ts': `export { open } from '../db/index.ts';`,
      'api/src/db/sqlite.ts': `export { lease as open } from '../jobs/index.ts';`,
      'api/src/jobs/index.ts': `export { lease } from '../http/index.ts';`,
    },
    ['db, http, jobs know each other in a circle'],
  ],
  [
    'no files import each other in a circle, types included',
    {
      'api/src/audit/event.ts': `import type { Who } from './who.ts'; export type Event = Who;`,
      'api/src/audit/who.ts': `import type { Event } from './event.ts'; export type Who = Event;`,
    },
    ['api/src/audit/event.ts, api/src/audit/who.ts import each other in a circle'],
  ],
  [
    'only the start of the process knows the configuration and the environment',
    {
      'api/src/audit/service.ts':
        `import { readConfig } from '../config.ts';\nexport const audit = ` + 'readConfig(process.env.PORT);',
      'api/src/app.ts': `import './secrets.ts';`,
    },
    [
      'api/src/app.ts:1 imports ./secrets.ts',
      'api/src/audit/service.ts:1 imports ../config.ts',
      'api/src/audit/service.ts:2 reads process.env',
    ],
  ],
  [
    'no module of the server holds state',
    {
      'api/src/audit/service.ts':
        `export const audit = () => { let inside = 0; return inside++; };\nlet count = ` +
        `0;\nexport var other = count++;`,
    },
    [
      'api/src/audit/service.ts:2 declares a variable of the module',
      'api/src/audit/service.ts:3 declares a variable of the module',
    ],
  ],
  [
    'a driver knows its interface and one library, and a test runs it',
    {
      'api/src/blobs/drivers/s3.ts':
        `import '../blob-store.ts'; import '../sweep.ts'; import './fs.ts'; import ` +
        `'../../db/index.ts'; import 's3'; import 'ftp';`,
    },
    [
      'api/src/blobs/drivers/s3.ts:1 imports ./fs.ts',
      'api/src/blobs/drivers/s3.ts:1 imports ../../db/index.ts',
      'api/src/blobs/drivers/s3.ts knows more than its interface: api/src/blobs/blob-store.ts, api/src/blobs/sweep.ts',
      'api/src/blobs/drivers/s3.ts knows more than one library: s3, ftp',
      'api/src/blobs/drivers/s3.ts is in no test',
    ],
  ],
  [
    'operations and the policy compute and do no I/O',
    {
      'api/src/access/policy.ts':
        `import './caller.ts'; import type { FastifyRequest } from 'fastify'; export ` + 'type It = FastifyRequest;',
      'api/src/access/caller.ts': `import 'node:fs/promises';`,
    },
    ['api/src/access/policy.ts:1 imports fastify', 'api/src/access/caller.ts:1 imports node:fs/promises'],
  ],
  [
    'SQL is in repositories and in db/ alone',
    {
      'api/src/audit/service.ts':
        `import { sql } from 'kysely';\nexport const audit = (db: any) => [sql, db.\n` + `selectFrom('x')];`,
      'api/src/audit/routes.ts':
        `import type { Kysely } from 'kysely'; import pg from 'pg'; export const it: ` + 'Kysely<object> = pg;',
    },
    [
      'api/src/audit/routes.ts:1 imports kysely',
      'api/src/audit/routes.ts:1 imports pg',
      'api/src/audit/service.ts:1 imports kysely',
      'api/src/audit/service.ts:3 begins an SQL statement',
    ],
  ],
  [
    'the index.ts of a slice has named re-exports alone',
    {
      'api/src/audit/index.ts':
        `export * from './service.ts';\nexport const more = 1;\nexport { audit } from ` + `'./service.ts';`,
    },
    ['api/src/audit/index.ts:1 is no named re-export', 'api/src/audit/index.ts:2 is no named re-export'],
  ],
  [
    'a package imports only those packages that it may know',
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
    'a package imports only what its package.json lists',
    {
      'lib-node/src/index.ts': `import 'tar/parse'; import 'undici';`,
      'ui/src/pages/HomePage.vue':
        `<template>\n</template>\n<script setup lang="ts">\nimport it from ` + `'lodash';\n</script>`,
      'api/test/x.unit.test.ts': `import 's3';`,
    },
    [
      'api/test/x.unit.test.ts:1 imports s3',
      'lib-node/src/index.ts:1 imports undici',
      'ui/src/pages/HomePage.vue:4 imports lodash',
    ],
  ],
  [
    'what the server takes in from lib-node stands alone, and needs only what both list',
    { 'lib-node/src/tar/reader.ts': `import 'node:fs';\nimport '../index.ts'; export const createTarReader = 1;` },
    ['lib-node/src/tar/reader.ts:1 imports node:fs', 'lib-node/src/tar/reader.ts:2 imports ../index.ts'],
  ],
  [
    'imports name their file',
    { 'api/src/audit/service.ts': `export const audit = async (name: string) => await import(name);` },
    ['api/src/audit/service.ts:1 computes what it imports'],
  ],
  [
    'files are named in kebab-case and after what they hold',
    { 'api/src/audit/utils.ts': '', 'cli/src/models/ship.ts': '', 'lib-node/src/ensureArtefact.ts': '' },
    [
      'api/src/audit/utils.ts is named after its kind',
      'lib-node/src/ensureArtefact.ts is not in kebab-case',
      'cli/src/models/ship.ts is named after its kind',
    ],
  ],
  [
    'a file over 300 lines has a reason, and none has over 400',
    {
      'api/src/audit/service.ts': lines(401),
      'api/src/audit/routes.ts': lines(301),
      'api/src/audit/list.ts': lines(300),
    },
    ['api/src/audit/service.ts has 401 lines', 'api/src/audit/routes.ts has 301 lines and no reason'],
  ],
];

describe('in a house made for it', () => {
  test('a tree that keeps every rule passes them all', () => {
    const files = readTree(HOUSE);
    for (const rule of ruleNames) assert.deepEqual(check(rule, files), [], rule);
  });

  test('every rule has a breach here', () => {
    assert.deepEqual(
      ruleNames.filter((name) => !BREACHES.some(([rule]) => rule === name)),
      [],
    );
  });

  for (const [rule, files, expected] of BREACHES) {
    test(`“${rule}” catches ${Object.keys(files).join(' and ')}`, () => {
      assert.deepEqual(check(rule, readTree({ ...HOUSE, ...files })), expected.toSorted());
    });
  }

  test('a reason allows 400 lines and is refused where it is not needed', () => {
    const files = readTree({ 'api/src/app.ts': lines(400), 'api/src/config.ts': lines(300) });
    const house = {
      dependencies: {},
      reasonsForLength: { 'api/src/app.ts': 'one table', 'api/src/config.ts': 'one table' },
    };
    assert.deepEqual(RULES['a file over 300 lines has a reason, and none has over 400'](files, house), [
      'api/src/config.ts has a reason for a length that it does not have',
    ]);
  });
});

function check(rule: RuleName, files: SourceFile[]): string[] {
  return RULES[rule](files, { dependencies: DEPENDENCIES, reasonsForLength: {} }).toSorted();
}

function readTree(tree: Tree): SourceFile[] {
  const root = mkdtempSync(join(tmpdir(), 'berth-architecture-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return readSourceFiles(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

interface Manifest {
  dependencies?: object;
  devDependencies?: object;
  peerDependencies?: object;
  optionalDependencies?: object;
}

function readDependencies(): HouseRules['dependencies'] {
  const manifestOf = (path: string) =>
    JSON.parse(readFileSync(join(repositoryRoot, path, 'package.json'), 'utf8')) as Manifest;
  const shared = Object.keys(manifestOf('.').devDependencies ?? {});
  const packages = (['api', 'lib-node', 'cli', 'ui', 'bench'] as const).filter((name) =>
    existsSync(join(repositoryRoot, name, 'package.json')),
  );
  return Object.fromEntries(
    packages.map((name) => {
      const { dependencies, peerDependencies, optionalDependencies, devDependencies } = manifestOf(name);
      const code = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
      return [
        name,
        { code: new Set(code), tests: new Set([...code, ...Object.keys(devDependencies ?? {}), ...shared]) },
      ];
    }),
  );
}
