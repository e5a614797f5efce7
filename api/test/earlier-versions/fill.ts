// Fills a registry with one of everything, over HTTP alone, so that any version can be filled.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { eventually } from '../support/eventually.ts';
import type { Headers } from '../support/people.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient } from '../support/test-client.ts';

/** What a filled registry contains, and how to sign in there. */
export interface Contents {
  admin: { email: string; password: string };
  keys: { upload: string; read: string };
  /** Documents as an internal service sees them, by ID. */
  documents: Record<string, Record<string, unknown>>;
  slots: { id: string; architecture?: string; sha256: string }[];
  thumbnail: { path: string; sha256: string };
  counts: { users: number; organizations: number; keys: number; remotes: number; publishers: number };
}

/** A pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const ACME = { type: 'organization', id: 'acme' } as const;
const MIRRORED = '@origin/plugin@1';
const TUS = { 'tus-resumable': '1.0.0' };

/** @param origin registry that `fillOrigin` has filled */
export async function fill(
  url: string,
  internalSecret: string,
  origin: { url: string; readKey: string },
): Promise<Contents> {
  const client = createTestClient(url, internalSecret);
  const headers = await client.superadmin();
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await client.api(method, path, { headers, ...(body !== undefined && { body }) });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  };

  await client.member('acme', 'admin');
  await send('PUT', '/organizations/acme/departments/maps', { name: 'Maps' });
  await send('POST', '/organizations/acme/invitations', { email: 'ben@acme.example', role: 'member' });
  const keys = { upload: await client.uploadKey({ allowedNamePrefix: '@acme/' }), read: await client.readKey(ACME) };
  await send('POST', '/trusted-publishers', {
    name: 'main of acme/plugin',
    provider: 'github',
    repository: 'acme/plugin',
    workflow: 'publish.yml',
    environment: 'production',
    allowedName: '@acme/plugin@1',
  });

  const plugin = (version: string) =>
    npmTarball({
      name: '@acme/plugin',
      version,
      files: { 'README.md': '# A plug-in\n', 'index.js': 'exports.run = () => 1;\n' },
    });
  await publishAll(client, { 'x-api-key': keys.upload }, plugin);
  const title = { fr: 'Un module', en: 'A plug-in' };
  await send('PATCH', artefactPath('@acme/plugin@1'), { public: true, title, group: { fr: 'Cartes', en: 'Maps' } });
  await send('PATCH', artefactPath('@acme/tiles'), { privateAccess: [ACME], deprecated: true });
  const thumbnail = await setThumbnail(client.url, headers, '@acme/plugin@1');

  const remote = await send('POST', '/remote-registries', {
    url: origin.url,
    name: 'origin',
    apiKey: origin.readKey,
    schedule: null,
    selectedPatterns: ['@origin/*'],
  });
  const remotePath = `/remote-registries/${encodeURIComponent(String(remote['_id']))}`;
  await send('POST', `${remotePath}/sync`);
  await eventually(async () => {
    assert.equal((await client.api('GET', artefactPath(MIRRORED), { headers })).status, 200);
  });
  await eventually(async () => {
    assert.equal((await send('GET', remotePath))['lastSyncStatus'], 'success');
  });

  await leaveUploadOpen(url, client.internal);
  const slots = await readSlots(url, client.internal);
  const counted = async (path: string) => (await send('GET', path))['count'] as number;
  return {
    admin: { email: ADMIN_EMAIL, password: ADMIN_PASSWORD },
    keys,
    documents: await readDocuments(url, client.internal),
    slots,
    thumbnail,
    counts: {
      users: await counted('/users'),
      organizations: await counted('/organizations'),
      keys: await counted('/api-keys'),
      remotes: await counted('/remote-registries'),
      publishers: await counted('/trusted-publishers'),
    },
  };
}

/** Publishes what `fill` mirrors. @returns a read key */
export async function fillOrigin(url: string, internalSecret: string): Promise<string> {
  const client = createTestClient(url, internalSecret);
  const tarball = await npmTarball({ name: '@origin/plugin', version: '1.0.0' });
  assert.equal((await client.upload(MIRRORED, { file: tarball })).status, 201);
  const headers = client.internal;
  const edit = await client.api('PATCH', artefactPath(MIRRORED), { headers, body: { public: true } });
  assert.equal(edit.status, 200);
  return client.readKey(ACME);
}

export function artefactPath(id: string): string {
  return `/artefacts/${encodeURIComponent(id)}`;
}

/** Reads all documents as an internal service, by ID. */
export async function readDocuments(url: string, headers: Headers): Promise<Contents['documents']> {
  const response = await fetch(`${url}/api/v1/artefacts?size=100&includeDeprecated=true`, { headers });
  const { results } = (await response.json()) as { results: Record<string, unknown>[] };
  return Object.fromEntries(results.map((document) => [String(document['_id']), document]));
}

/** Downloads everything as an internal service. */
export async function readSlots(url: string, headers: Headers): Promise<Contents['slots']> {
  const slots: Contents['slots'] = [];
  for (const [id, { tarballs }] of Object.entries(await readDocuments(url, headers))) {
    const architectures = tarballs ? Object.keys(tarballs) : [undefined];
    for (const architecture of architectures) {
      const path =
        architecture === undefined ? '/download' : `/tarball?architecture=${encodeURIComponent(architecture)}`;
      const response = await fetch(`${url}/api/v1${artefactPath(id)}${path}`, { headers });
      assert.equal(response.status, 200, `${id} ${architecture ?? ''}`);
      slots.push({
        id,
        ...(architecture !== undefined && { architecture }),
        sha256: sha256(await response.arrayBuffer()),
      });
    }
  }
  return slots;
}

export function sha256(bytes: ArrayBuffer): string {
  return createHash('sha256').update(new Uint8Array(bytes)).digest('hex');
}

async function publishAll(
  client: ReturnType<typeof createTestClient>,
  headers: Headers,
  plugin: (version: string) => Promise<Buffer>,
): Promise<void> {
  const uploads = [
    ['@acme/plugin@1', { file: await plugin('1.0.0'), headers }],
    ['@acme/plugin@1', { file: await plugin('1.0.1'), headers, fields: { architecture: 'x64' } }],
    ['@acme/tiles', { format: 'file', file: Buffer.alloc(3000, 'tiles'), fileName: 'éléments.mbtiles', headers }],
  ] as const;
  for (const [id, form] of uploads) {
    const response = await client.upload(id, form);
    assert.equal(response.status, 201, await response.text());
  }
}

async function setThumbnail(url: string, headers: Headers, id: string): Promise<Contents['thumbnail']> {
  const form = new FormData();
  form.set('file', new Blob([PNG], { type: 'image/png' }), 'pixel.png');
  const response = await fetch(`${url}/api/v1${artefactPath(id)}/thumbnail`, { method: 'POST', headers, body: form });
  assert.ok(response.ok, await response.text());
  const document = (await readDocuments(url, headers))[id] as { thumbnail: { id: string } };
  const path = `/thumbnails/${document.thumbnail.id}/data`;
  return { path, sha256: sha256(await (await fetch(`${url}/api/v1${path}`)).arrayBuffer()) };
}

/** Leaves rows and bytes that expire after a day. */
async function leaveUploadOpen(url: string, headers: Headers): Promise<void> {
  const metadata = { id: '@acme/open', format: 'file', fileName: 'open.bin' };
  const response = await fetch(`${url}/api/v1/uploads`, {
    method: 'POST',
    headers: {
      ...headers,
      ...TUS,
      'upload-length': '100',
      'upload-metadata': Object.entries(metadata)
        .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
        .join(','),
    },
  });
  assert.equal(response.status, 201, await response.text());
  const location = new URL(response.headers.get('location') ?? '', `${url}/api/v1/uploads`);
  const sent = await fetch(location, {
    method: 'PATCH',
    headers: { ...headers, ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
    body: Buffer.alloc(40, 'x'),
  });
  assert.equal(sent.status, 204, await sent.text());
}
