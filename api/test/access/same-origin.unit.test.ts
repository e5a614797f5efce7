import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import { assertSameOrigin, type OriginRequest } from '../../src/access/index.ts';

const DEFAULT_PUBLIC_URL = 'http://localhost:8080';

function isAccepted(request: Omit<OriginRequest, 'method'>, publicUrl: string): boolean {
  try {
    assertSameOrigin({ method: 'POST', ...request }, publicUrl);
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'cross_origin');
    return false;
  }
}

/** How a request for the registry at `scheme://name` arrives, by what is in front of it. */
const WAYS: Record<string, (scheme: string, name: string) => Omit<OriginRequest, 'method'>> = {
  'a trusted proxy': (scheme, name) => ({
    host: name,
    protocol: scheme,
    headers: { 'host': 'inner:8080', 'x-forwarded-host': name, 'x-forwarded-proto': scheme },
  }),
  'two trusted proxies, each of which appends': (scheme, name) => ({
    host: 'inner.local',
    protocol: 'http',
    headers: {
      'host': 'inner:8080',
      'x-forwarded-host': `${name}, inner.local`,
      'x-forwarded-proto': `${scheme}, http`,
    },
  }),
  'a trusted proxy that sends Forwarded': (scheme, name) => ({
    host: 'inner:8080',
    protocol: 'http',
    headers: { forwarded: `for=192.0.2.1;host="${name}";proto=${scheme}, for=10.0.0.1;host=inner;proto=http` },
  }),
  'a proxy that is not trusted and keeps Host': (scheme, name) => ({
    host: name,
    protocol: 'http',
    headers: { 'host': name, 'x-forwarded-proto': scheme.toUpperCase() },
  }),
  'a proxy that is not trusted and changes Host': (scheme, name) => ({
    host: '10.0.0.7:8080',
    protocol: 'http',
    headers: { 'host': '10.0.0.7:8080', 'x-forwarded-host': name, 'x-forwarded-proto': scheme },
  }),
  'an HTTP/2 proxy, which sends the default port': (scheme, name) => ({
    host: URL.parse(`${scheme}://${name}`)?.port === '' ? `${name}:${scheme === 'https' ? 443 : 80}` : name,
    protocol: 'http',
    headers: { 'x-forwarded-proto': scheme },
  }),
};
const DIRECTLY = (name: string) => ({ host: name.toUpperCase(), protocol: 'http', headers: { host: name } });

const NAMES = ['berth.example', 'berth.example:8443', '192.0.2.5:8080', 'localhost:8080', '[::1]:8080'];
const SCHEMES = ['http', 'https'];
const PAGE_HOSTS = [
  ...NAMES,
  'evil.example',
  'sub.berth.example',
  'berth.example.evil.example',
  'berth.example:80',
  'inner',
  'inner.local',
  'localhost',
  'localhost:3000',
];
const PUBLIC_URLS = [
  DEFAULT_PUBLIC_URL,
  'https://berth.example',
  'http://berth.example',
  'https://berth.example/registry',
];

/** What the rule promises, in other words: the page is at PUBLIC_URL, or where the request went to. */
function isOwnPage(page: string, target: string, publicUrl: string): boolean {
  const [own, at] = [new URL(publicUrl), new URL(page)];
  if (at.origin === own.origin) return true;
  return at.origin === new URL(target).origin && at.host !== own.host;
}

describe('the same-origin rule', () => {
  const arrivals = SCHEMES.flatMap((scheme) =>
    NAMES.flatMap((name) =>
      Object.entries(WAYS).map(([way, arrive]) => ({
        way,
        target: `${scheme}://${name}`,
        request: arrive(scheme, name),
      })),
    ),
  );
  arrivals.push(...NAMES.map((name) => ({ way: 'nothing', target: `http://${name}`, request: DIRECTLY(name) })));
  const pages = SCHEMES.flatMap((scheme) => PAGE_HOSTS.map((host) => `${scheme}://${host}`));

  for (const publicUrl of PUBLIC_URLS)
    test(`accepts exactly the registry's own pages, whatever is in front of it, with PUBLIC_URL ${publicUrl}`, () => {
      for (const { way, target, request } of arrivals)
        for (const page of pages) {
          const headers = { ...request.headers, origin: page };
          // Proxies that append names of their own network make these names count, too.
          if (page.includes('inner')) continue;
          assert.equal(
            isAccepted({ ...request, headers }, publicUrl),
            isOwnPage(page, target, publicUrl),
            `a page at ${page}, ${target} behind ${way}`,
          );
        }
    });

  test('a page on plain HTTP may not change what is served with TLS, nor the other way round', () => {
    const tls = { host: 'berth.example', protocol: 'https' };
    const plain = { host: 'berth.example', protocol: 'http' };
    const from = (origin: string, request: typeof tls, headers: IncomingHttpHeaders = {}) =>
      isAccepted({ ...request, headers: { origin, ...headers } }, 'https://berth.example');
    assert.equal(from('https://berth.example', tls), true);
    assert.equal(from('http://berth.example', tls), false);
    assert.equal(from('http://berth.example', plain), false);
    assert.equal(from('http://berth.example', plain, { 'x-forwarded-proto': 'http' }), false);
    assert.equal(isAccepted({ ...plain, headers: { origin: 'https://berth.example' } }, DEFAULT_PUBLIC_URL), false);
  });

  test('a program, which sends no Origin, passes, and so does reading from anywhere', () => {
    const request = { host: 'berth.example', protocol: 'https' };
    assert.equal(isAccepted({ ...request, headers: {} }, DEFAULT_PUBLIC_URL), true);
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assertSameOrigin({ ...request, method, headers: { origin: 'https://evil.example' } }, DEFAULT_PUBLIC_URL);
  });

  const MALFORMED = ['null', '', 'berth.example', 'file://', 'https://', 'https:', '*', 'https://berth.example.'];
  for (const origin of MALFORMED)
    test(`refuses the origin ${JSON.stringify(origin)}`, () => {
      for (const host of ['berth.example', ''])
        assert.equal(isAccepted({ host, protocol: 'https', headers: { origin } }, 'https://berth.example'), false);
    });

  test('what the browser says of the site counts as well', () => {
    const at = (site: string, origin?: string) =>
      isAccepted(
        {
          host: 'berth.example',
          protocol: 'https',
          headers: { 'sec-fetch-site': site, ...(origin !== undefined && { origin }) },
        },
        'https://berth.example',
      );
    for (const site of ['same-origin', 'none']) {
      assert.equal(at(site), true);
      assert.equal(at(site, 'https://berth.example'), true);
      assert.equal(at(site, 'https://evil.example'), false);
    }
    for (const site of ['cross-site', 'same-site', '', 'unheard-of']) {
      assert.equal(at(site), false);
      assert.equal(at(site, 'https://berth.example'), false);
    }
  });

  test('the refusal names the site that the browser says, at bounded length, and the address of the registry', () => {
    const headers = { 'sec-fetch-site': `cross-site${'x'.repeat(5000)}` };
    assert.throws(
      () => {
        assertSameOrigin({ method: 'POST', host: 'b.example', protocol: 'http', headers }, 'https://berth.example');
      },
      ({ message }: Error) =>
        ['Sec-Fetch-Site: cross-site', 'https://berth.example or http://b.example'].every((it) =>
          message.includes(it),
        ) && message.length < 600,
    );
  });

  test('the refusal names both origins and the settings to look at', () => {
    const request = { host: 'registry.corp', protocol: 'http', headers: { origin: 'https://registry.corp' } };
    assert.throws(
      () => {
        assertSameOrigin({ method: 'POST', ...request }, DEFAULT_PUBLIC_URL);
      },
      ({ message }: Error) =>
        ['https://registry.corp', 'http://registry.corp', DEFAULT_PUBLIC_URL, 'PUBLIC_URL', 'TRUSTED_PROXIES'].every(
          (text) => message.includes(text),
        ),
    );
  });
});
