import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { uploadArtefact, patchArtefact } from '../artefacts/documents.ts';
import { freePort } from '../support/free-port.ts';
import { PROXY_KINDS, startExampleNginx, type ExampleNginx } from '../support/nginx-example.ts';
import { Browser, providerSettings, signInThrough, startTestProvider } from '../support/openid-provider.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, signIn, startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, tusRequest } from '../uploads/tus-client.ts';

const HTML = { accept: 'text/html' };
const ID = '@acme/ä+b%2Fc@1';
/** Values of a header that anybody can send through some proxies. */
const HOSTILE_PREFIXES = ['/evil', '//evil.example', 'https://evil.example/', '"><script>alert(1)</script>', '/a, /b'];

interface OpenApi {
  servers: { url: string }[];
  paths: Record<string, Record<string, unknown>>;
}

for (const path of ['/registry', '/tools/registry']) {
  for (const proxy of PROXY_KINDS) {
    describe(`below ${path}, behind a proxy that ${proxy} the path`, () => {
      let server: TestServer;
      let nginx: ExampleNginx;
      /** PUBLIC_URL */
      let base: string;
      let provider: Awaited<ReturnType<typeof startTestProvider>>;
      before(async () => {
        const port = await freePort();
        nginx = await startExampleNginx({ upstreams: [`http://127.0.0.1:${port}`], below: { path, proxy } });
        base = `${nginx.url}${path}`;
        provider = await startTestProvider(base);
        server = await startTestServer({
          signIn: 'local',
          env: { PORT: `${port}`, PUBLIC_URL: base, ...providerSettings(provider) },
        });
        await uploadArtefact(server, ID, { file: await npmTarball() });
        await patchArtefact(server, ID, { public: true });
      });
      after(async () => {
        const errors = await nginx.close();
        await server.close();
        await provider.stop();
        assert.equal(errors, '');
      });

      /** Requests every asset of a page, and returns the URLs. */
      const loadAssets = async (url: string) => {
        const response = await fetch(url, { headers: HTML });
        const page = await response.text();
        assert.equal(response.status, 200, url);
        const documentBase = /<base href="([^"]*)">/.exec(page)?.[1] ?? '';
        const links = [...page.matchAll(/ (?:src|href)="(?!data:)([^"]+)"/g)].map(([, link = '']) => link);
        const assets = links
          .map((link) => new URL(link, new URL(documentBase, response.url)).href)
          .filter((link) => /\.\w+$/.test(link));
        for (const asset of assets) {
          assert.ok(asset.startsWith(`${base}/`), `${asset} of ${url}`);
          const { status, headers, body } = await fetch(asset);
          await body?.cancel();
          assert.equal(status, 200, asset);
          assert.match(
            headers.get('content-type') ?? '',
            /^(text\/css|application\/javascript|text\/javascript|image)/,
          );
        }
        return { url: response.url, assets, policy: response.headers.get('content-security-policy') ?? '' };
      };

      test('serves the interface with all of its assets at every address, directly as well', async () => {
        for (const start of [base, server.url, `${server.url}${path}`]) {
          for (const deepLink of ['', '/', `/artefacts/${encodeURIComponent(ID)}`, '/admin/api-keys?page=2']) {
            const response = await fetch(start + deepLink, { headers: HTML });
            assert.equal(response.status, 200, start + deepLink);
            assert.match(await response.text(), new RegExp(`<base href="${path}/">`), start + deepLink);
          }
        }
        const { assets } = await loadAssets(`${base}/artefacts/${encodeURIComponent(ID)}`);
        assert.ok(assets.length > 5);
      });

      test('serves the page of the API with all of its assets, and nothing from other hosts', async () => {
        for (const address of [
          '/api-docs',
          '/api-docs/',
          '/api-docs?a=b',
          '/api-docs/?a=b',
          '/api-docs/static/index.html',
        ]) {
          const { url, assets, policy } = await loadAssets(base + address);
          assert.equal(url, `${base}/api-docs/`, address);
          assert.ok(assets.length > 5);
          assert.doesNotMatch(policy, /upgrade-insecure-requests|https?:|\*|\.\w/, policy);
        }
        const { servers } = (await (await fetch(`${base}/api-docs/json`)).json()) as OpenApi;
        assert.equal(new URL(servers[0]?.url ?? '', `${base}/api-docs/json`).href, `${base}/`);
      });

      test('answers every route of the API as directly, with redirects and cookies below the path', async () => {
        const document = (await (await fetch(`${base}/api/v1/openapi.json`)).json()) as OpenApi;
        assert.deepEqual(document.servers, [{ url: base }]);
        const routes = Object.entries(document.paths)
          .filter(([, methods]) => 'get' in methods)
          .map(([route]) => route.replace(/\{\w+\}/g, encodeURIComponent(ID)));
        assert.ok(routes.length > 40);
        const session = await signIn(base, ADMIN_EMAIL, ADMIN_PASSWORD);
        const ask = async (url: string, method: string) => {
          const response = await fetch(url, { method, redirect: 'manual', headers: session });
          // Events never end.
          await response.body?.cancel();
          return response;
        };
        for (const route of [...routes, '/clients/cli.tgz', '/clients/lib-node.tgz', '/metrics', '/api/v1/nothing']) {
          for (const method of ['GET', 'HEAD']) {
            const [direct, proxied] = [await ask(server.url + route, method), await ask(base + route, method)];
            if (route !== '/metrics') assert.equal(proxied.status, direct.status, `${method} ${route}`);
            const location = proxied.headers.get('location');
            if (location !== null) assert.ok(new URL(location, base + route).href.startsWith(`${base}/`), location);
            for (const cookie of proxied.headers.getSetCookie())
              assert.match(cookie, new RegExp(`; Path=${path}(;|$)`));
          }
        }
      });

      test('accepts IDs, ranges and conditions of downloads, changes of its pages, events and tus', async () => {
        const artefact = `${base}/api/v1/artefacts/${encodeURIComponent(ID)}`;
        assert.equal(((await (await fetch(artefact)).json()) as { _id: string })._id, ID);
        const session = await signIn(base, ADMIN_EMAIL, ADMIN_PASSWORD);
        const whole = await fetch(`${artefact}/download`, { headers: session });
        const bytes = Buffer.from(await whole.arrayBuffer());
        const part = await fetch(`${artefact}/download`, { headers: { ...session, range: 'bytes=1-9' } });
        assert.equal(part.status, 206);
        assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(1, 10)));
        const etag = whole.headers.get('etag') ?? '';
        assert.equal(
          (await fetch(`${artefact}/download`, { headers: { ...session, 'if-none-match': etag } })).status,
          304,
        );
        const patch = (origin: string) =>
          fetch(artefact, {
            method: 'PATCH',
            headers: { ...session, origin, 'content-type': 'application/json' },
            body: JSON.stringify({ deprecated: false }),
          });
        assert.equal((await patch(nginx.url)).status, 200);
        assert.equal((await patch('http://evil.example')).status, 403);
        const events = await fetch(`${base}/api/v1/storage/events`, { headers: session });
        const reader = (events.body as ReadableStream<Uint8Array>).getReader();
        assert.match(Buffer.from((await reader.read()).value ?? []).toString(), /^retry: \d+\n/);
        await reader.cancel();
        const upload = await createUpload({ url: base }, 'tus', 3, { caller: session });
        assert.ok(upload.startsWith(`${base}/api/v1/uploads/`), upload);
        assert.equal((await tusRequest('HEAD', upload, { caller: session })).status, 200);
      });

      test('signs in through an OpenID provider, which returns below the path', async () => {
        provider.user = { sub: 'uma', email: 'uma@acme.example', email_verified: true, name: 'Uma' };
        const browser = new Browser();
        assert.equal(await signInThrough(base, browser), `${base}/signed-in`);
        const { kind } = (await (await browser.request(`${base}/api/v1/session`)).json()) as { kind: string };
        assert.equal(kind, 'user');
      });

      test('takes no prefix from a header', async () => {
        const page = await (await fetch(`${base}/`, { headers: HTML })).text();
        for (const start of [base, server.url])
          for (const prefix of HOSTILE_PREFIXES) {
            const headers = { ...HTML, 'x-forwarded-prefix': prefix };
            assert.equal(await (await fetch(`${start}/`, { headers })).text(), page);
            const clients = (await (await fetch(`${start}/clients`, { headers })).json()) as {
              results: { url: string }[];
            };
            for (const { url } of clients.results) assert.ok(url.startsWith(`${base}/clients/`), url);
            for (const route of ['/clients/cli.tgz', '/api-docs']) {
              const { headers: answer } = await fetch(start + route, { headers, redirect: 'manual' });
              assert.doesNotMatch(answer.get('location') ?? '', /evil|script|^\/a/);
            }
          }
      });
    });
  }
}
