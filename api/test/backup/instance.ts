// Test instances for backups: their settings, sample data of every kind, and everything that clients can read.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DialectName } from '../../src/db/index.ts';
import { createCallers, type Callers } from '../support/callers.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { createTestS3, type TestS3 } from '../support/s3.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { makeRaster } from '../thumbnails/images.ts';

/** A database and a storage. A backup of any combination can be restored into any other. */
export interface Combination {
  dialect: DialectName;
  storage: 'fs' | 's3';
}
export const EMBEDDED: Combination = { dialect: 'sqlite', storage: 'fs' };
export const CLUSTER: Combination = { dialect: 'postgres', storage: 's3' };
export const COMBINATIONS: Combination[] = [
  EMBEDDED,
  { dialect: 'postgres', storage: 'fs' },
  { dialect: 'sqlite', storage: 's3' },
  CLUSTER,
];
export const nameOf = ({ dialect, storage }: Combination) => `${dialect} and ${storage}`;

export const SECRETS = {
  SECRET_INTERNAL_SERVICES: 'internal-secret',
  API_KEYS_SALT: 's'.repeat(32),
  CIPHER_PASSWORD: 'c'.repeat(32),
  AUTH_SECRET: 'a'.repeat(32),
};

export interface TestInstance {
  combination: Combination;
  /** Settings of the instance. */
  env: Record<string, string>;
  s3: TestS3 | undefined;
  /** Starts its server. Closing the server keeps the data. */
  start: () => Promise<TestServer>;
  remove: () => Promise<void>;
}

/** Creates an empty instance. */
export async function createTestInstance(combination: Combination): Promise<TestInstance> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-backup-'));
  const database = combination.dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
  const bucket = combination.storage === 's3' ? await createTestS3() : undefined;
  const dataDir = join(directory, 'data');
  const env = {
    ...SECRETS,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'warn',
    ...(database && { DATABASE_URL: database.url }),
    ...(bucket && { ...bucket.env, S3_REDIRECT: 'false' }),
  };
  return {
    combination,
    env,
    s3: bucket,
    start: () => startTestServer({ ...combination, signIn: 'local', env, dataDir }),
    remove: async () => {
      await database?.drop();
      await bucket?.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface SampleData {
  callers: Callers;
  /** Restricted to a single package name. */
  uploadKey: string;
}

/**
 * Fills an instance with sample data: artefacts of both formats, slots, equal bytes, access lists, thumbnails, keys,
 * trusted publishers, users, departments, history.
 */
export async function fill(server: TestServer): Promise<SampleData> {
  const callers = await createCallers(server);
  const admin = await server.superadmin();
  const edit = (id: string, body: object) =>
    expectOk(server.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, { headers: admin, body }));
  const upload = (id: string, form: Parameters<TestServer['upload']>[1]) => expectOk(server.upload(id, form));

  const readme = '# Géo\n\nImports “GeoPackage” files.\n';
  const manifest = {
    license: 'MIT',
    bundleDependencies: ['dep'],
    registry: { processingConfigSchema: { type: 'object' } },
  };
  const files = {
    'index.js': 'export {};\n',
    'README.md': readme,
    'node_modules/dep/package.json': { name: 'dep', version: '2.0.0', license: 'ISC' },
  };
  await upload('@acme/import-gpkg@1', {
    file: await npmTarball({ manifest, files }),
    fields: { category: 'processing', title: '{"fr":"Importer un géopaquet","en":"Import"}' },
  });
  await upload('@acme/import-gpkg@1', {
    file: await npmTarball({ version: '1.1.0', files: { 'binding.gyp': '{}' } }),
    fields: { architecture: 'linux-x64-glibc' },
  });
  await upload('@acme/import-gpkg@main', {
    file: await npmTarball({ manifest, files }),
    fields: { category: 'processing' },
  });
  await upload('tiles/île', {
    format: 'file',
    file: randomBytes(3_000_000),
    fileName: 'île 1.mbtiles',
    fields: { category: 'tileset' },
  });
  await upload('empty', { format: 'file', file: new Uint8Array(0), fileName: 'empty' });
  await upload('gone', { format: 'file', file: randomBytes(1000) });
  await expectOk(server.api('DELETE', '/artefacts/gone', { headers: admin }));
  await edit('@acme/import-gpkg@1', {
    public: true,
    group: { fr: 'Données' },
    description: { en: 'O\'Reilly; "quoted" \\ and 😀' },
  });
  await edit('tiles/île', {
    privateAccess: [
      { type: 'organization', id: 'acme' },
      { type: 'organization', id: 'globex', department: 'geo' },
    ],
    deprecated: true,
  });
  for (const id of ['@acme/import-gpkg@1', 'tiles/île']) {
    const form = new FormData();
    form.set(
      'file',
      new Blob([
        id === 'tiles/île'
          ? '<svg xmlns="http://www.w3.org/2000/svg"/>'
          : await makeRaster({ width: 600, height: 300 }),
      ]),
      'picture',
    );
    await expectOk(
      fetch(`${server.url}/api/v1/artefacts/${encodeURIComponent(id)}/thumbnail`, {
        method: 'POST',
        headers: admin,
        body: form,
      }),
    );
  }
  await expectOk(server.api('POST', '/organizations', { headers: admin, body: { id: 'globex', name: 'Globex' } }));
  await expectOk(
    server.api('PUT', '/organizations/globex/departments/geo', { headers: admin, body: { name: 'Geo' } }),
  );
  const publisher = { name: 'gpkg', provider: 'github', repository: 'acme/import-gpkg' };
  for (const jobs of [
    { branch: 'main', tag: 'v*', environment: 'production', events: ['push', 'release'], repositoryId: '42' },
    { anyRef: true },
  ])
    await expectOk(server.api('POST', '/trusted-publishers', { headers: admin, body: { ...publisher, ...jobs } }));
  return { callers, uploadKey: await server.uploadKey({ allowedPackageName: '@acme/plugin' }) };
}

/**
 * Reads everything that callers can get: bodies, and the headers that clients depend on. Sessions are left out, since
 * they are not restored.
 */
export async function readEverything(server: TestServer, { callers }: SampleData): Promise<Record<string, unknown>> {
  const responses: Record<string, unknown> = {};
  const superadmin = await server.superadmin();
  const read = async (caller: string, headers: Record<string, string>, path: string) => {
    const response = await server.api('GET', path, { headers });
    const body = Buffer.from(await response.arrayBuffer());
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    responses[`${caller} ${path}`] = {
      status: response.status,
      headers: [
        'content-type',
        'content-length',
        'etag',
        'last-modified',
        'repr-digest',
        'content-disposition',
        'x-artefact-architecture',
        'x-artefact-version',
        'x-artefact-has-native-modules',
      ].map((name) => response.headers.get(name)),
      body: isJson ? withoutVolatileFields(body.toString()) : createHash('sha256').update(body).digest('hex'),
    };
    return body;
  };
  const lists = [
    '/artefacts?size=1000&includeDeprecated=true',
    '/artefacts?q=geopaquet',
    '/artefacts?q=gpkg%20import&sort=name',
    '/artefacts?category=tileset',
  ];
  const stateless = Object.entries(callers).filter(([name]) => !/member|superadmin/.test(name));
  for (const [name, headers] of [...stateless, ['a superadmin', superadmin] as const]) {
    for (const path of lists) await read(name, headers, path);
    for (const id of ['@acme/import-gpkg@1', '@acme/import-gpkg@main', 'tiles/île', 'empty', 'gone']) {
      const path = `/artefacts/${encodeURIComponent(id)}`;
      for (const subpath of [
        '',
        '/download',
        '/tarball?architecture=linux-x64-glibc',
        '/thumbnail',
        '/readme',
        '/packages',
        '/files',
      ])
        await read(name, headers, path + subpath);
    }
  }
  for (const path of [
    '/users',
    '/organizations',
    '/organizations/acme',
    '/organizations/globex',
    '/access-grants',
    '/api-keys?type=upload',
    '/api-keys?type=read',
    '/trusted-publishers',
    '/artefacts/groups?category=processing&locale=fr',
  ])
    await read('a superadmin', superadmin, path);
  const document = JSON.parse(
    (await read('a superadmin', superadmin, `/artefacts/${encodeURIComponent('@acme/import-gpkg@1')}`)).toString(),
  ) as { thumbnail: { id: string } };
  await read('anonymous', {}, `/thumbnails/${document.thumbnail.id}/data`);
  return responses;
}

export async function expectOk(pending: Promise<Response>): Promise<Response> {
  const response = await pending;
  assert.ok(response.ok, `${response.url}: ${response.status} ${response.ok ? '' : await response.text()}`);
  return response;
}

/** Removes fields that change with every request. */
function withoutVolatileFields(json: string): string {
  return json.replaceAll(/,?"(lastUsedAt|requestId)":"[^"]*"/g, '');
}
