// A server that lets nginx send its downloads (X-Accel-Redirect), and the ways to reach it.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { startExampleNginx } from '../support/nginx-example.ts';
import { query } from '../support/stored-state.ts';
import { startTestServer } from '../support/test-server.ts';
import { artefactPath } from './documents.ts';

export const PREFIX = '/internal-blobs/';

/** Headers of one connection, not of the artefact. */
const CONNECTION_HEADERS = ['date', 'connection', 'keep-alive', 'x-request-id', 'server'];

export type NginxDownloads = Awaited<ReturnType<typeof startNginxDownloads>>;

/** @param basePath path of PUBLIC_URL: `''` or such as `/registry` */
export async function startNginxDownloads(basePath: string) {
  const server = await startTestServer({
    env: { ACCEL_REDIRECT_PREFIX: PREFIX, PUBLIC_URL: `http://localhost${basePath}` },
  });
  const blobsDirectory = join(server.dataDir, 'blobs');
  const nginx = await startExampleNginx({
    upstreams: [server.url],
    blobsDirectory,
    ...(basePath !== '' && { changes: { 'location / {': `location ${basePath}/ {` } }),
  });
  const key = await server.readKey({ type: 'organization', id: 'acme' });

  /** Requests a path of an artefact from Berth itself, as another service would. */
  const getDirectly = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
    server.api(method, artefactPath(id, rest), { headers: { 'x-api-key': key, ...headers } });

  return {
    server,
    blobsDirectory,
    key,
    nginxUrl: nginx.url,
    getDirectly,

    /** Requests a path of an artefact through nginx, as a client outside would. */
    get: (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${nginx.url}${basePath}/api/v1${artefactPath(id, rest)}`, {
        method,
        headers: { 'x-api-key': key, ...headers },
      }),

    /** Requests a path of an artefact from Berth, as nginx does. */
    getAsNginx: (id: string, rest: string) =>
      getDirectly(id, rest, { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'registry.example.org' }),

    async storageKeyOf(bytes: Uint8Array): Promise<string> {
      const [row] = await query<{ key: string }>(
        server,
        `select storage_key as key from blobs where digest = '${digestOf(bytes)}'`,
      );
      return row?.key ?? '';
    },

    /** Stops both, and returns the error log of nginx. */
    async close(): Promise<string> {
      const errors = await nginx.close();
      await server.close();
      return errors;
    },
  };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Returns the headers that do not depend on the connection. */
export function artefactHeaders({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !CONNECTION_HEADERS.includes(name)));
}
