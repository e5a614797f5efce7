// Older releases stored versions of mirrors unchecked: every route that sends bytes of such an artefact still answers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { query } from '../support/stored-state.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const ID = '@acme/plugin@1';
const PATH = `/artefacts/${encodeURIComponent(ID)}`;
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>';
const VERSIONS = ['1.0.0\r\nSet-Cookie: a=b', '1.0.0 \u{1f6a2}', 'é'.repeat(300), '\u0001', ' 1.0.0 '];
const ROUTES = [
  '/tarball',
  '/tarball?architecture=noarch',
  '/download',
  '/files/index.js',
  '/files',
  '/readme',
  '/thumbnail',
];

let server: TestServer;
let file: Buffer;
before(async () => {
  server = await startTestServer();
  file = await npmTarball({
    name: '@acme/plugin',
    version: '1.0.0',
    files: { 'index.js': 'export default 1;', 'README.md': '# Plugin' },
  });
  assert.equal((await server.upload(ID, { file })).status, 201);
  const form = new FormData();
  form.set('file', new Blob([SVG]), 'icon.svg');
  const init = { method: 'POST', headers: server.internal, body: form };
  assert.equal((await fetch(`${server.url}/api/v1${PATH}/thumbnail`, init)).status, 201);
});
after(() => server.close());

for (const version of VERSIONS) {
  test(`an artefact with the version ${JSON.stringify(version.slice(0, 30))} can be read and downloaded`, async () => {
    await query(server, `update slots set version = '${version}'`);
    for (const route of ROUTES) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${server.url}/api/v1${PATH}${route}`, {
          method,
          headers: server.internal,
          signal: AbortSignal.timeout(10_000),
        });
        assert.equal(response.status, 200, `${method} ${route}`);
        assert.equal(response.headers.get('set-cookie'), null);
        const bytes = Buffer.from(await response.arrayBuffer());
        if (method === 'GET' && /tarball|download/.test(route)) assert.deepEqual(bytes, file);
      }
    }
  });
}
