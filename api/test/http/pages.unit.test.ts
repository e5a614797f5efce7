import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, registerStaticUi } from '../../src/http/index.ts';

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const SCRIPT = 'console.log("berth")';

describe('the web interface', () => {
  let directory: string;
  let app: FastifyInstance;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-pages-'));
    app = createHttpServer({ basePath: '/registry', trustedProxies: [], logLevel: 'silent' });
    await registerStaticUi(app, {
      directory,
      basePath: '/registry',
      frameAncestors: "'self' https://platform.example",
    });
  });
  after(async () => {
    await app.close();
    await rm(directory, { recursive: true });
  });

  const get = (url: string, headers: Record<string, string> = HTML) => app.inject({ url, headers });

  test('answers ui_not_built before it is built', async () => {
    const { statusCode, body } = await get('/');
    assert.deepEqual([statusCode, (JSON.parse(body) as { code: string }).code], [503, 'ui_not_built']);
  });

  describe('once built', () => {
    before(async () => {
      await mkdir(join(directory, 'assets'));
      await writeFile(
        join(directory, 'index.html'),
        `<!doctype html><base href="/"><meta name="frame-ancestors" content="'none'">` +
          '<script src="./assets/index-abc.js"></script>',
      );
      await writeFile(join(directory, 'assets/index-abc.js'), SCRIPT);
      await writeFile(join(directory, 'assets/index-abc.js.br'), brotliCompressSync(SCRIPT));
    });

    test('serves one page for every URL, with the path of PUBLIC_URL, whether or not the request has it', async () => {
      for (const prefix of ['/registry', ''])
        for (const path of ['/', '/artefacts/@acme%2Fplugin@1', '/admin/keys?new=true', '/admin/api-keys']) {
          for (const proxied of [{}, { 'x-forwarded-host': 'example.org', 'x-forwarded-prefix': '/evil' }]) {
            const { statusCode, headers, body } = await get(prefix + path, { ...HTML, ...proxied });
            assert.deepEqual(
              [statusCode, headers['content-type'], headers['cache-control']],
              [200, 'text/html; charset=utf-8', 'no-cache'],
              path,
            );
            assert.match(body, /<base href="\/registry\/">/);
          }
        }
    });

    test('tells the page which sites may embed it, whatever characters their list has', async () => {
      assert.ok(
        (await get('/')).body.includes(`<meta name="frame-ancestors" content="'self' https://platform.example">`),
      );
      const other = createHttpServer({ basePath: '', trustedProxies: [], logLevel: 'silent' });
      await registerStaticUi(other, { directory, basePath: '', frameAncestors: `a"><script>&amp; $& $'` });
      const { body } = await other.inject({ url: '/', headers: HTML });
      assert.ok(body.includes(`content="a&quot;>&lt;script>&amp;amp; $&amp; $'"`), body);
      assert.match(body, /<base href="\/">/);
      await other.close();
    });

    test('forbids inline scripts, and allows the configured sites to embed it', async () => {
      const policy = String((await get('/')).headers['content-security-policy']);
      assert.match(policy, /script-src 'self';/);
      assert.match(policy, /frame-ancestors 'self' https:\/\/platform\.example$/);
    });

    test('answers 404 below /api/, for missing assets, and to clients that do not accept HTML', async () => {
      for (const [path, headers] of [
        ['/api/v1/nothing', HTML],
        ['/api/', HTML],
        ['/nothing', {}],
        ['/nothing', { accept: 'application/json' }],
        ['/assets/gone.js', HTML],
      ] as const) {
        const {
          statusCode,
          headers: { 'content-type': type },
        } = await get(path, headers);
        assert.deepEqual([statusCode, type], [404, 'application/problem+json; charset=utf-8'], path);
      }
      assert.equal((await app.inject({ method: 'POST', url: '/artefacts/x', headers: HTML })).statusCode, 404);
    });

    test('serves compressed assets that caches keep for a year', async () => {
      const { headers, rawPayload } = await get('/registry/assets/index-abc.js', { 'accept-encoding': 'br' });
      assert.deepEqual(
        [headers['cache-control'], headers['content-encoding'], headers['vary']],
        ['public, max-age=31536000, immutable', 'br', 'accept-encoding'],
      );
      assert.equal(brotliDecompressSync(rawPayload).toString(), SCRIPT);
      assert.equal((await get('/assets/index-abc.js', {})).body, SCRIPT);
    });

    test('serves no other files', async () => {
      await writeFile(join(directory, 'secret.txt'), 'secret');
      for (const path of [
        '/assets/../secret.txt',
        '/assets/%2e%2e/secret.txt',
        '/assets/..%2fsecret.txt',
        '/secret.txt',
      ])
        assert.doesNotMatch((await get(path, {})).body, /^secret$/, path);
    });
  });
});
