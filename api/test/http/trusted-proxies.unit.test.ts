import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { createProxyCheck } from '../../src/http/trusted-proxies.ts';

const LISTS = [
  [],
  ['loopback'],
  ['linklocal'],
  ['uniquelocal'],
  ['10.0.0.7'],
  ['10.0.0.0/8', '2001:db8::/32'],
  ['192.0.2.0/255.255.255.128'],
  ['::1'],
  ['::ffff:192.0.2.0/120'],
  ['fe80::1%eth0'],
  ['0.0.0.0/1', '128.0.0.0/1'],
];
const ADDRESSES = [
  '127.0.0.1',
  '127.9.9.9',
  '128.0.0.1',
  '::1',
  '::ffff:127.0.0.1',
  '::FFFF:10.0.0.7',
  '10.0.0.7',
  '10.0.0.8',
  '169.254.3.4',
  '172.31.0.1',
  '172.32.0.1',
  '192.168.1.1',
  '192.0.2.1',
  '192.0.2.129',
  'fc00::7',
  'fe80::1',
  'fe80::1%eth0',
  'fe80::1%eth1',
  'fec0::1',
  '2001:db8::7',
  '2001:db9::7',
  'unknown',
  '',
  '10.0.0.7:80',
];

test('the same peers are trusted as by the framework itself', async () => {
  for (const list of LISTS) {
    const isTrusted = createProxyCheck(list);
    const app = Fastify({ trustProxy: list });
    app.get('/', async ({ ip }) => ip);
    for (const address of ADDRESSES) {
      const headers = { 'x-forwarded-for': 'client' };
      const { body } = await app.inject({ url: '/', remoteAddress: address, headers });
      // The simulated connection has this address by default.
      const expected = address === '' ? false : body === 'client';
      assert.equal(isTrusted(address), expected, `${address} in ${list.join(', ')}`);
    }
    assert.equal(isTrusted(undefined), false);
    await app.close();
  }
});
