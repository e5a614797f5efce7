import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { clientRoutes, createClients } from '../../src/clients/index.ts';
import { createHttpServer } from '../../src/http/index.ts';

const METHODS = ['GET', 'HEAD'] as const;
const PUBLIC_URLS = ['https://example.org', 'https://example.org/registry'];
const IMMUTABLE = 'public, max-age=31536000, immutable';
const CLIENTS = [
  { name: 'cli', packageName: '@berth-registry/cli', bytes: Buffer.from('the command') },
  { name: 'lib-node', packageName: '@berth-registry/lib-node', bytes: Buffer.from('the library for Node') },
];
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes);
const digestOf = (bytes: Buffer) => `sha256:${sha256(bytes).digest('hex')}`;

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-clients-'));
});
after(() => rm(directory, { recursive: true }));

for (const publicUrl of PUBLIC_URLS) {
  describe(`below ${publicUrl}`, () => {
    let app: FastifyInstance;
    before(async () => {
      await build('1.2.3');
      app = await startApp(publicUrl);
    });
    after(() => app.close());

    for (const method of METHODS) {
      const ask = (path: string, headers: Record<string, string> = {}) => {
        return app.inject({ method, url: publicUrl + path, headers });
      };

      test(`${method} /clients lists the clients with their URLs`, async () => {
        const { statusCode, headers, body } = await ask('/clients');
        assert.deepEqual([statusCode, headers['content-type']], [200, 'application/json; charset=utf-8']);
        assert.equal(headers['cache-control'], 'no-cache');
        const results = CLIENTS.map(({ name, packageName, bytes }) => ({
          name,
          packageName,
          version: '1.2.3',
          url: `${publicUrl}/clients/1.2.3/${name}.tgz`,
          size: bytes.length,
          digest: digestOf(bytes),
        }));
        assert.deepEqual(method === 'GET' ? JSON.parse(body) : body, method === 'GET' ? { results, count: 2 } : '');
      });

      test(`${method} of an unknown version answers client_version_not_found`, async () => {
        for (const version of ['1.2.2', '1.2', 'latest', 'v1.2.3', '1.2.3%2F..%2F1.2.3', '%2e%2e%2fdist']) {
          const { statusCode, body, headers } = await ask(`/clients/${version}/cli.tgz`, { 'if-none-match': '*' });
          assert.deepEqual([statusCode, headers['cache-control']], [404, 'no-store'], version);
          if (method === 'GET') assert.deepEqual(problemIn(body), ['client_version_not_found', true], version);
        }
      });

      test(`${method} of an unknown client answers 404`, async () => {
        for (const path of ['1.2.3/other.tgz', 'other.tgz', '1.2.3/clients.json', '1.2.3']) {
          assert.equal((await ask(`/clients/${path}`)).statusCode, 404, path);
        }
      });

      for (const { name, bytes } of CLIENTS) {
        const etag = `"${digestOf(bytes)}"`;

        test(`${method} /clients/${name}.tgz redirects to the current version, without caching`, async () => {
          const { statusCode, headers, body } = await ask(`/clients/${name}.tgz`);
          assert.deepEqual([statusCode, headers['cache-control'], body], [302, 'no-cache', '']);
          const target = new URL(String(headers.location), `${publicUrl}/clients/${name}.tgz`);
          assert.equal(target.href, `${publicUrl}/clients/1.2.3/${name}.tgz`);
        });

        test(`${method} of a version of ${name} returns the tarball as immutable, with its digest`, async () => {
          const { statusCode, headers, rawPayload } = await ask(`/clients/1.2.3/${name}.tgz`);
          assert.deepEqual([statusCode, headers.etag, headers['cache-control']], [200, etag, IMMUTABLE]);
          assert.equal(headers['content-type'], 'application/gzip');
          assert.equal(headers['content-length'], String(bytes.length));
          assert.equal(headers['repr-digest'], `sha-256=:${sha256(bytes).digest('base64')}:`);
          assert.deepEqual([headers['accept-ranges'], headers['x-content-type-options']], ['bytes', 'nosniff']);
          assert.deepEqual(rawPayload, method === 'GET' ? bytes : Buffer.alloc(0));
        });

        test(`${method} of a version of ${name} answers 304 to a client that has it`, async () => {
          for (const cached of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
            const { statusCode, headers, body } = await ask(`/clients/1.2.3/${name}.tgz`, { 'if-none-match': cached });
            assert.deepEqual([statusCode, headers.etag, body], [304, etag, ''], cached);
            assert.equal(headers['cache-control'], IMMUTABLE);
          }
          const changed = await ask(`/clients/1.2.3/${name}.tgz`, { 'if-none-match': '"other"' });
          assert.equal(changed.statusCode, 200);
        });
      }
    }

    test('an interrupted download can be resumed', async () => {
      const url = `${publicUrl}/clients/1.2.3/cli.tgz`;
      const etag = `"${digestOf(CLIENTS[0]!.bytes)}"`;
      const rest = await app.inject({ url, headers: { 'range': 'bytes=4-', 'if-range': etag } });
      assert.deepEqual([rest.statusCode, rest.headers['content-range'], rest.body], [206, 'bytes 4-10/11', 'command']);
      const beyond = await app.inject({ url, headers: { range: 'bytes=11-' } });
      assert.deepEqual([beyond.statusCode, beyond.headers['content-range']], [416, 'bytes */11']);
    });

    test('a rebuild is served without a restart', async () => {
      await build('1.3.0');
      const { headers } = await app.inject(`${publicUrl}/clients/cli.tgz`);
      assert.equal(headers.location, '1.3.0/cli.tgz');
      for (const [version, status] of [
        ['1.3.0', 200],
        ['1.2.3', 404],
      ] as const) {
        assert.equal((await app.inject(`${publicUrl}/clients/${version}/cli.tgz`)).statusCode, status);
      }
    });
  });
}

test('missing clients answer clients_not_built and the command to run', async () => {
  const app = await startApp('https://example.org', join(directory, 'nothing'));
  for (const method of METHODS) {
    for (const path of ['', '/cli.tgz', '/lib-node.tgz', '/1.2.3/cli.tgz', '/1.2.3/lib-node.tgz']) {
      const { statusCode, body } = await app.inject({ method, url: `/clients${path}` });
      assert.equal(statusCode, 503, path);
      if (method === 'GET') assert.deepEqual(problemIn(body), ['clients_not_built', true], path);
    }
  }
  await app.close();
});

/** The code, and whether the detail says what to do. */
function problemIn(body: string): [string, boolean] {
  const { code, detail } = JSON.parse(body) as { code: string; detail: string };
  return [code, /GET \/clients|npm run build/.test(detail)];
}

async function startApp(publicUrl: string, from = directory): Promise<FastifyInstance> {
  const basePath = new URL(publicUrl).pathname.replace(/\/$/, '');
  const app = createHttpServer({ basePath, trustedProxies: [], logLevel: 'silent' });
  await app.register(clientRoutes(createClients({ directory: from, publicUrl })));
  return app;
}

async function build(version: string): Promise<void> {
  for (const { name, bytes } of CLIENTS) await writeFile(join(directory, `${name}.tgz`), bytes);
  const index = CLIENTS.map(({ name, packageName }) => ({ name, packageName, version }));
  await writeFile(join(directory, 'clients.json'), JSON.stringify(index));
}
