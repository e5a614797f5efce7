import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { allowsOrigin, namedOrigins } from '../src/composables/frame-ancestors.ts';
import { DESKTOP, NAMED_HOST, visit, withBrowser } from './support/visitor.ts';

const OWN = 'https://registry.example.org';

describe('FRAME_ANCESTORS', () => {
  withBrowser();
  const site = createServer(({ url = '', headers }, response) => {
    const { pathname, searchParams } = new URL(url, `http://${headers.host}`);
    const sources = searchParams.get('sources');
    if (sources !== null) response.setHeader('content-security-policy', `frame-ancestors ${sources}`);
    response.setHeader('content-type', 'text/html').end(
      pathname === '/child'
        ? `<!doctype html><script>parent.postMessage(${JSON.stringify(sources)}, '*')</script>`
        : `<!doctype html><link rel="icon" href="data:,"><title>parent</title>
           <script>window.received = []; addEventListener('message', ({ data }) => received.push(data));</script>`,
    );
  });
  let port = 0;
  before(async () => {
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    ({ port } = site.address() as AddressInfo);
  });
  after(() => {
    site.closeAllConnections();
    site.close();
  });

  test('means to the pages what it means to the browser', async () => {
    const own = `http://127.0.0.1:${port}`;
    const hosts = [NAMED_HOST, 'localhost', 'a.localhost', 'b.a.localhost'];
    const schemes = ['', 'HTTP://', 'https://'];
    const names = ['*', NAMED_HOST, 'LOCALHOST', 'a.localhost', '*.localhost', '*.a.localhost', 'a.*', 'localhost.'];
    const ports = ['', `:${port}`, ':*'];
    const lists = [
      ...schemes.flatMap((scheme) => names.flatMap((name) => ports.map((it) => `${scheme}${name}${it}`))),
      ...[
        "'self'",
        "'SELF'",
        "'none'",
        'http:',
        'https:',
        'HTTP:',
        'data:',
        'self',
        "'unsafe-inline'",
        'localhost:80',
        `ws://localhost:${port}`,
      ],
      ...[
        `https://example.org 'self'  http://localhost:*`,
        `localhost:${port}/path`,
        `http://localhost:${port}/`,
        `http://127.0.0.1:${port}`,
      ],
    ];
    const { page, context, problems } = await visit({ pages: own }, DESKTOP);
    for (const host of hosts) {
      const origin = `http://${host}:${port}`;
      await page.goto(origin);
      const received = await page.evaluate(
        async ({ children }) => {
          const frames = children.map((src) => {
            const frame = document.createElement('iframe');
            // A refused page loads as well: as one that sends no message.
            const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
            frame.src = src;
            document.body.append(frame);
            return loaded;
          });
          await Promise.all(frames);
          return window.received;
        },
        { children: lists.map((sources) => `${own}/child?sources=${encodeURIComponent(sources)}`) },
      );
      const allowed = new Set(received);
      for (const sources of lists)
        assert.equal(allowsOrigin(sources, origin, own), allowed.has(sources), `${sources} for ${origin}`);
    }
    problems.splice(0);
    await context.close();
  });

  test('allows no opaque origin, and the secure variant of one that is not', () => {
    for (const [sources, origin, expected] of [
      ['*', 'null', false],
      ['*', 'data:', false],
      ['* data: file:', 'file://', false],
      ["'self'", OWN, true],
      ["'self'", `${OWN}:8443`, false],
      ['http://example.org', 'https://example.org', true],
      ['http://example.org:80', 'https://example.org', true],
      ['https://example.org', 'http://example.org', false],
      ['example.org', 'http://example.org', false],
      ['https://*.example.org', 'https://a.b.example.org', true],
      ['https://*.example.org', 'https://example.org', false],
      ['https://*.example.org', 'https://evil-example.org', false],
      ['https://*.example.org', 'https://a.example.org.evil.net', false],
      ['https://example.org', 'https://example.org:8443', false],
      ['https://[::1]:8443', 'https://[::1]:8443', true],
      ['', OWN, false],
    ] as const)
      assert.equal(allowsOrigin(sources, origin, OWN), expected, `${sources} for ${origin}`);
  });

  test('names origins to greet, without its patterns', () => {
    assert.deepEqual(
      namedOrigins(
        "'self' https://*.example.org https: * https://a.example.org:8443/ https://b.example.org/x b.example.org:* http://c d",
        OWN,
      ),
      [OWN, 'https://a.example.org:8443', 'http://c', 'https://d'],
    );
    assert.deepEqual(namedOrigins("'none'", OWN), []);
  });
});
