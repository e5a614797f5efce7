// Which addresses are public, and which are inside a network, in every way of writing them.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { createAddressCheck, depthOf, depthOfHost, isNetwork, type Depth } from '../../src/outbound/addresses.ts';

const IPV4: Record<Depth, string[]> = {
  0: ['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.0', '100.128.0.0', '193.0.0.1', '223.255.255.255'],
  1: ['10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.127.255.255'],
  2: ['127.0.0.1', '127.255.255.254'],
  3: [
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.51.100.7',
  ].concat(['203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255']),
};
const IPV6: Record<Depth, string[]> = {
  0: ['2001:4860:4860::8888', '2a00::1', '2600:1f18::1'],
  1: ['fc00::1', 'fdff:ffff::1'],
  2: ['::1'],
  3: [
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2001::1',
    '3fff::1',
  ].concat(['64:ff9b:1::a00:1', '100::1', '::7f00:1', '::ffff:0:7f00:1', '4000::1', 'not an address', '']),
};
const DEPTHS = [0, 1, 2, 3] as const;

for (const depth of DEPTHS) {
  test(`addresses of depth ${depth} are recognised, also IPv4 ones inside of IPv6 ones`, () => {
    for (const address of IPV6[depth]) assert.equal(depthOf(address), depth, address);
    for (const address of IPV4[depth]) {
      for (const written of [address, `::ffff:${address}`, `::FFFF:${address}`, `64:ff9b::${address}`])
        // ::ffff:0.0.0.0 and the like are still IPv4 addresses.
        assert.equal(depthOf(written), depth, written);
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      const asNumber = ((a * 256 + b) * 256 + c) * 256 + d;
      for (const host of [address, `${asNumber}`, `0x${asNumber.toString(16)}`, `[::ffff:${address}]`])
        assert.equal(depthOfHost(new URL(`http://${host}/`).hostname), depth, host);
    }
  });
}

test('names are left to the resolver, except localhost', () => {
  for (const host of ['localhost', 'LOCALHOST', 'a.localhost', 'localhost.'])
    assert.equal(depthOfHost(new URL(`http://${host}/`).hostname), 2, host);
  for (const host of ['example.org', '10.0.0.1.nip.io', 'localhost.example.org'])
    assert.equal(depthOfHost(new URL(`http://${host}/`).hostname), undefined, host);
});

test('addresses are allowed up to a depth, and those of listed networks', () => {
  for (const depth of DEPTHS) {
    const isAllowed = createAddressCheck(depth, ['169.254.10.0/24', '10.1.0.0/16', 'fd12::/16', '127.0.0.9']);
    for (const other of DEPTHS)
      for (const address of [...IPV4[other], ...IPV6[other]].filter((it) => /^[\d.:a-f]+$/.test(it)))
        assert.equal(isAllowed(address), other <= depth, address);
    for (const address of ['169.254.10.1', '10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd12::9', '127.0.0.9'])
      assert.ok(isAllowed(address), address);
    assert.equal(isAllowed('example.org'), false);
  }
});

test('any 128 bits are an address of some depth', () => {
  for (let round = 0; round < 5000; round++) {
    const groups = Array.from({ length: 8 }, () => (randomInt(3) === 0 ? 0 : randomInt(65_536)).toString(16));
    assert.ok(DEPTHS.includes(depthOf(groups.join(':'))));
  }
});

test('networks are CIDR ranges or single addresses', () => {
  for (const text of ['10.0.0.0/8', '10.1.2.3', 'fd00::/8', '::1', '0.0.0.0/0', '::/0'])
    assert.ok(isNetwork(text), text);
  for (const text of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0/8',
    'example.org',
    'fe80::1%1/64',
  ])
    assert.ok(!isNetwork(text), text);
});
