import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Fastify from 'fastify';
import { isDatabaseUrl, isSourceList, isTrustedProxy, isUrl } from '../../src/config/formats.ts';

describe('a trusted proxy', () => {
  const isAccepted = (proxy: string) => {
    try {
      Fastify({ trustProxy: [proxy] });
      return true;
    } catch {
      return false;
    }
  };

  test('may be an address, a range or a word', () => {
    for (const proxy of [
      '10.0.0.7',
      '10.0.0.0/8',
      '10.0.0.0/255.0.0.0',
      '::1',
      'fd00::/8',
      'fe80::1%eth0',
      '::ffff:10.0.0.7',
      'loopback',
      'linklocal',
      'uniquelocal',
    ])
      assert.ok(isTrustedProxy(proxy) && isAccepted(proxy), proxy);
  });

  test('may not be a host name, a star, or a range that is none', () => {
    for (const proxy of ['nginx', '*', '10.0.0.0/99', '10.0.0.0/0', '10.0.0.0/255.0.255.0', '10.1', 'fe80::1%', ''])
      assert.ok(!isTrustedProxy(proxy), proxy);
  });

  test('is one that the server accepts, for every combination of parts', () => {
    const addresses = [
      '10.0.0.7',
      '0.0.0.0',
      '255.255.255.255',
      '1',
      '1.2.3',
      '::',
      '::1',
      'fe80::1%eth0',
      'fe80::1%e-0',
    ];
    const more = [
      '::ffff:1.2.3.4',
      'loopback',
      'LOOPBACK',
      'a.example',
      '999.0.0.1',
      '[::1]',
      '10.0.0.7:80',
      ' ',
      '-',
    ];
    const ranges = ['', '/', '/0', '/1', '/8', '/32', '/33', '/128', '/129', '/-1', '/08', '/8.0', '/x', '/8/8'];
    const masks = ['/255.0.0.0', '/255.255.255.255', '/0.0.0.0', '/0.255.0.0', '/255.0.0.1', '/::', '/1e1'];
    let accepted = 0;
    for (const address of [...addresses, ...more])
      for (const range of [...ranges, ...masks]) {
        const proxy = `${address}${range}`;
        if (!isTrustedProxy(proxy)) continue;
        accepted++;
        assert.ok(isAccepted(proxy), proxy);
      }
    assert.ok(accepted > 30);
  });
});

test('a URL has a host, no white space, and credentials that can be decoded', () => {
  for (const url of ['https://example.org', 'http://[::1]:8080/a', 'smtp://u:p%23@mail', 'http://user@proxy:3128'])
    assert.ok(isUrl(url), url);
  for (const url of ['https://', 'smtp://', 'http://a b', 'http://a/b c', 'http://a:99999', 'http://u:%zz@a', 'a'])
    assert.ok(!isUrl(url), url);
});

test('a URL of PostgreSQL may name a socket, and must encode its password', () => {
  for (const url of [
    'postgres://berth@/berth?host=/run/postgresql',
    'postgres:///berth?host=/run/postgresql',
    'postgres://%2Frun%2Fpostgresql/berth',
    'postgresql://u:p%23@h1:5432/berth?sslmode=require',
  ])
    assert.ok(isDatabaseUrl(url), url);
  for (const url of ['postgres://u:p#a@h/berth', 'postgres://u:p@h:99999/berth', 'postgres://u:p/a@h/berth'])
    assert.ok(!isDatabaseUrl(url), url);
});

test('frame ancestors are sources of one directive', () => {
  for (const list of ["'self'", "'self' https://example.org", '*']) assert.ok(isSourceList(list), list);
  for (const list of ["'self'; script-src *", 'a, b', 'é', '']) assert.ok(!isSourceList(list), list);
});
