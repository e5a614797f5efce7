// Two registries: an upstream and its mirror. Helpers to publish, synchronise and compare.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DialectName } from '../../src/db/index.ts';
import type { RemoteView } from '../../src/remotes/schemas.ts';
import { eventually } from '../support/eventually.ts';
import { TEST_BUCKET } from '../support/s3.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import type { TestClient } from '../support/test-client.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../support/test-server.ts';

export type { RemoteView };
export interface Pair {
  upstream: TestServer;
  mirror: TestServer;
  /** A read key of the upstream. */
  key: string;
  remote: RemoteClient;
  close(): Promise<void>;
}

export interface RemoteClient {
  /** Path of the registry's routes on the mirror. */
  path: string;
  /** Sends a request to the mirror as its superadmin. */
  ask(method: string, path?: string, body?: unknown): Promise<Response>;
  get(): Promise<RemoteView>;
  /** Selects artefacts and waits until they are mirrored. */
  select(...ids: string[]): Promise<RemoteView>;
  /** Requests a run and waits for its end. */
  sync(query?: string): Promise<RemoteView>;
  /** Waits until no run is due or in progress: then no artefact is pending. */
  settled(timeoutMs?: number): Promise<RemoteView>;
}

/** Giving up on an upstream that sends byte by byte takes nine seconds. */
const SETTLED_MS = 30_000;
const ORGANIZATION = { type: 'organization', id: 'mirrors' } as const;

export async function startPair(dialect: DialectName, mirrorOptions: TestServerOptions = {}): Promise<Pair> {
  const upstream = await startTestServer();
  const mirror = await startTestServer({ dialect, ...mirrorOptions });
  const key = await upstream.readKey(ORGANIZATION);
  const remote = await addRemote(mirror, upstream.url, key);
  return {
    upstream,
    mirror,
    key,
    remote,
    async close() {
      await Promise.all([upstream.close(), mirror.close()]);
    },
  };
}

/** Adds a remote registry without a schedule. */
export async function addRemote(
  mirror: TestClient,
  url: string,
  apiKey: string,
  more: Record<string, unknown> = {},
): Promise<RemoteClient> {
  const response = await mirror.api('POST', '/remote-registries', {
    headers: await mirror.superadmin(),
    body: { url, name: 'production', apiKey, schedule: null, ...more },
  });
  assert.equal(response.status, 201, await response.clone().text());
  return remoteClient(mirror, ((await response.json()) as RemoteView)._id);
}

/** Requests a run, again while a retry is in progress, and waits for its end. */
export async function syncWhenIdle(remote: RemoteClient, timeoutMs: number): Promise<RemoteView> {
  await eventually(async () => {
    assert.equal((await remote.ask('POST', '/sync')).status, 202);
  }, timeoutMs);
  return remote.settled(timeoutMs);
}

export function remoteClient(mirror: TestClient, id: string): RemoteClient {
  const path = `/remote-registries/${encodeURIComponent(id)}`;
  const ask: RemoteClient['ask'] = async (method, below = '', body) =>
    mirror.api(method, path + below, { headers: await mirror.superadmin(), ...(body !== undefined && { body }) });
  const client: RemoteClient = {
    path,
    ask,
    async get() {
      const response = await ask('GET');
      assert.equal(response.status, 200);
      return (await response.json()) as RemoteView;
    },
    async select(...ids) {
      for (const artefactId of ids) {
        const response = await ask('POST', '/selected-artefacts', { artefactId });
        assert.equal(response.status, 201, await response.clone().text());
      }
      return client.settled();
    },
    async sync(query = '') {
      const response = await ask('POST', `/sync${query}`);
      assert.equal(response.status, 202, await response.clone().text());
      return client.settled();
    },
    async settled(timeoutMs = SETTLED_MS) {
      const view = await eventually(async () => {
        const now = await client.get();
        assert.equal(now.syncState, 'idle');
        return now;
      }, timeoutMs);
      assert.ok(
        view.results.every(({ status }) => status !== 'pending'),
        'no artefact is pending',
      );
      return view;
    },
  };
  return client;
}

/** Publishes a public npm artefact in one or more slots. */
export async function publish(
  server: TestServer,
  id: string,
  version: string,
  architectures = ['noarch'],
): Promise<Buffer> {
  const file = await npmTarball({
    name: '@acme/plugin',
    version,
    files: { 'index.js': `export default '${id} ${version}';\n`, 'README.md': `# ${id} ${version}\n` },
  });
  for (const architecture of architectures) {
    const response = await server.upload(id, { file, fields: { architecture } });
    assert.equal(response.status, 201, await response.clone().text());
  }
  await share(server, id);
  return file;
}

export async function share(server: TestServer, id: string): Promise<void> {
  assert.equal(
    (
      await server.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
        headers: server.internal,
        body: { public: true },
      })
    ).status,
    200,
  );
}

export async function documentOf(server: TestServer, id: string): Promise<Record<string, unknown> | undefined> {
  const response = await server.api('GET', `/artefacts/${encodeURIComponent(id)}`, { headers: server.internal });
  return response.status === 404 ? undefined : ((await response.json()) as Record<string, unknown>);
}

/** Downloads an artefact, or its slot for an architecture. */
export async function bytesOf(server: TestServer, id: string, architecture?: string): Promise<Buffer> {
  const route = architecture === undefined ? 'download' : `tarball?architecture=${architecture}`;
  const response = await server.api('GET', `/artefacts/${encodeURIComponent(id)}/${route}`, {
    headers: server.internal,
  });
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

/** Compares bytes without a diff, which would take gigabytes of memory for a few MiB. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.ok(
    Buffer.compare(actual, expected) === 0,
    `got ${actual.length} bytes that differ from the ${expected.length} expected ones`,
  );
}

/** Returns the digest of a slot. */
export async function digestOf(server: TestServer, id: string, architecture = 'noarch'): Promise<string> {
  const { tarballs } = (await documentOf(server, id)) as { tarballs: Record<string, { digest: string }> };
  return tarballs[architecture]?.digest ?? '';
}

/** Returns the result of one artefact. */
export function resultOf(view: RemoteView, artefactId: string): RemoteView['results'][number] {
  const result = view.results.find((it) => it.artefactId === artefactId);
  assert.ok(result, `${artefactId} has a result`);
  return result;
}

/** Overwrites the stored bytes of a digest behind the server's back. */
export async function damage(server: TestServer, digest: string): Promise<void> {
  const [row] = await query<{ storage_key: string }>(
    server,
    `select storage_key from blobs where digest = '${digest}'`,
  );
  assert.ok(row, 'the blob is stored');
  if (!server.s3) return writeFile(join(server.dataDir, 'blobs', row.storage_key), 'other', { flag: 'r+' });
  const { s3, root } = server.s3;
  const place = { Bucket: TEST_BUCKET, Key: `${root}/blobs/${row.storage_key}` };
  const bytes = Buffer.from(await (await s3.getObject(place)).Body!.transformToByteArray());
  await s3.putObject({ ...place, Body: Buffer.concat([Buffer.from('other'), bytes.subarray(5)]) });
}
