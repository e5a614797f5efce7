// Starts registries for browser tests, below a URL path, and fills them.

import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../api/test/support/free-port.ts';
import { startTestServer, type TestServer, type UploadForm } from '../../../api/test/support/test-server.ts';
import { packSample } from '../../../scripts/sample.ts';

export { ADMIN_EMAIL, ADMIN_PASSWORD } from '../../../api/test/support/test-server.ts';

export interface Registry extends TestServer {
  /** Base URL of its pages, with a trailing slash. */
  pages: string;
}

export interface RegistryOptions {
  /** Additional environment variables, given the public URL. */
  env?: (publicUrl: string) => Record<string, string>;
  /** Path of the public URL; default `/registry`. */
  path?: string;
}

/** Starts a registry on a free port, below a path. */
export async function startRegistry({
  env = () => ({}),
  path = '/registry',
}: RegistryOptions = {}): Promise<Registry> {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}${path}`;
  const server = await startTestServer({
    env: { PORT: String(port), PUBLIC_URL: publicUrl, TRUSTED_PROXIES: 'loopback', ...env(publicUrl) },
  });
  return { ...server, pages: `${publicUrl}/` };
}

export const HELLO = '@data-fair/processing-hello-world@0';

/** Publishes the sample plug-in, public, with texts in both languages. */
export async function publishHello(registry: Registry, id = HELLO): Promise<void> {
  const file = await readFile(await packSample(await mkdtemp(join(tmpdir(), 'berth-hello-'))));
  await publish(registry, id, {
    file,
    fields: {
      category: 'processing',
      title: JSON.stringify({ en: 'Hello world', fr: 'Bonjour le monde' }),
      description: JSON.stringify({ en: 'Says hello.', fr: 'Dit bonjour.' }),
    },
  });
  await edit(registry, id, { public: true, group: { en: 'Samples', fr: 'Exemples' } });
}

export async function publish(registry: Registry, id: string, form: UploadForm): Promise<void> {
  const response = await registry.upload(id, form);
  assert.equal(response.status, 201, await response.text());
}

export async function edit(registry: Registry, id: string, changes: object): Promise<void> {
  const response = await registry.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
    headers: registry.internal,
    body: changes,
  });
  assert.equal(response.status, 200, await response.text());
}

/** Sends a request as the superadmin, and returns the body of the response. */
export async function asAdmin<T = Record<string, unknown>>(
  registry: Registry,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const response = await registry.api(method, path, { headers: await registry.superadmin(), body });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${text}`);
  return (text === '' ? {} : JSON.parse(text)) as T;
}
