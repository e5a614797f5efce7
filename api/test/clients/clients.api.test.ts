import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../support/test-server.ts';

interface Client {
  name: string;
  version: string;
  url: string;
  size: number;
  digest: string;
}
interface Description {
  paths: Record<string, Record<string, { security?: unknown[]; responses: object }>>;
}

let berth: TestServer;
before(async () => {
  berth = await startTestServer({ env: { PUBLIC_URL: 'https://example.org/registry' } });
});
after(() => berth.close());

test('a registry serves the listed clients to anyone', async () => {
  for (const headers of [{}, { 'x-api-key': 'reg_unknown' }, { cookie: 'better-auth.session_token=x' }]) {
    const list = await fetch(`${berth.url}/clients`, { headers });
    const { results, count } = (await list.json()) as { results: Client[]; count: number };
    assert.deepEqual([list.status, count, results.map(({ name }) => name)], [200, 2, ['cli', 'lib-node']]);
    for (const { name, version, url, size, digest } of results) {
      assert.equal(url, `https://example.org/registry/clients/${version}/${name}.tgz`);
      const response = await fetch(`${berth.url}/clients/${version}/${name}.tgz`, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.deepEqual([response.status, bytes.length], [200, size]);
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
      // Shared caches store the response.
      assert.deepEqual([response.headers.get('set-cookie'), response.headers.get('vary')], [null, null]);
    }
  }
});

test('URLs without a version redirect to the current one, with and without the path of PUBLIC_URL', async () => {
  for (const base of [berth.url, `${berth.url}/registry`]) {
    for (const name of ['cli', 'lib-node']) {
      const response = await fetch(`${base}/clients/${name}.tgz`, { method: 'HEAD' });
      assert.equal(response.status, 200);
      assert.match(response.url, new RegExp(`^${base}/clients/\\d[^/]*/${name}\\.tgz$`));
    }
  }
});

test('the OpenAPI document contains the routes', async () => {
  const { paths } = (await (await berth.api('GET', '/openapi.json')).json()) as Description;
  const expected = {
    '/clients': ['200', '503'],
    '/clients/cli.tgz': ['302', '503'],
    '/clients/lib-node.tgz': ['302', '503'],
    '/clients/{version}/cli.tgz': ['200', '206', '304', '404', '416', '503'],
    '/clients/{version}/lib-node.tgz': ['200', '206', '304', '404', '416', '503'],
  };
  for (const [path, statuses] of Object.entries(expected)) {
    const { security, responses = {} } = paths[path]?.['get'] ?? {};
    assert.deepEqual([security, Object.keys(responses)], [[], statuses], path);
  }
});
