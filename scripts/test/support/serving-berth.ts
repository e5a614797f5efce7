// A server below a base path, with one public artefact, from which tests install the clients.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../api/test/support/free-port.ts';
import { npmTarball } from '../../../api/test/support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../runtime.ts';

export const HELLO = '@acme/hello@1';

export interface ServingBerth extends TestServer {
  /** Its PUBLIC_URL. */
  address: string;
  /** Version of its clients. */
  version: string;
  /** URL of a client, with its version. */
  addressOf(name: 'cli' | 'lib-node'): string;
}

export async function startServingBerth(): Promise<ServingBerth> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}/registry`;
  const berth = await startTestServer({ env: { PORT: String(port), PUBLIC_URL: address } });
  const files = { 'index.js': "export const run = () => 'hello';" };
  const file = await npmTarball({ name: '@acme/hello', version: '1.0.0', manifest: { type: 'module' }, files });
  assert.equal((await berth.upload(HELLO, { file })).status, 201);
  const path = `/artefacts/${encodeURIComponent(HELLO)}`;
  assert.equal((await berth.api('PATCH', path, { headers: berth.internal, body: { public: true } })).status, 200);
  const manifest = readFileSync(join(repositoryRoot, 'cli/package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return { ...berth, address, version, addressOf: (name) => `${address}/clients/${version}/${name}.tgz` };
}
