// A redirect to another origin leads no further inside a network than the server that sent it.

import assert from 'node:assert/strict';
import http, { type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { bodyOf, listen } from './http-servers.ts';

const LOOPBACK = [{ address: '127.0.0.1', family: 4 }];

describe('after a redirect from another origin, a request', () => {
  let inside: Server;
  let port: number;
  let requests = 0;
  let proxy: Server;
  let proxyUrl: string;
  const opened: Outbound[] = [];

  before(async () => {
    inside = http.createServer((_request, response) => {
      requests++;
      response.end('inside');
    });
    await new Promise<void>((resolve) => inside.listen(0, '0.0.0.0', resolve));
    port = (inside.address() as { port: number }).port;
    proxy = http.createServer((request, response) => {
      response.end(`proxied ${request.url}`);
    });
    proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
  });
  after(async () => {
    for (const outbound of opened) await outbound.close();
    for (const server of [inside, proxy]) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** Every name resolves to the given addresses. */
  function open(options: Partial<Parameters<typeof createOutbound>[0]> = {}, addresses = LOOPBACK): Outbound {
    const outbound = createOutbound({ timeoutMs: 5000, ...options }, (_hostname, _options, callback) => {
      callback(null, addresses);
    });
    opened.push(outbound);
    return outbound;
  }
  const REFUSED = { name: 'AddressRefusedError' };
  const FROM = new URL('http://registry.example.org');

  test('does not reach private addresses, however they are written', async () => {
    requests = 0;
    const outbound = open();
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '[::]',
      '10.0.0.1',
    ].concat(['169.254.169.254', '[fe80::1]', '[64:ff9b::7f00:1]', 'localhost', 'a.localhost', 'name.example.com']))
      await assert.rejects(outbound.get(new URL(`http://${host}:${port}/`), { redirectedFrom: FROM }), REFUSED, host);
    assert.equal(requests, 0);
  });

  test('checks the addresses of names when it connects, so that a later answer is no way round', async () => {
    requests = 0;
    let answer = [{ address: '192.0.2.1', family: 4 }];
    const outbound = createOutbound({ timeoutMs: 5000 }, (_hostname, _options, callback) => {
      callback(null, answer);
      answer = LOOPBACK;
    });
    opened.push(outbound);
    const url = new URL(`http://rebinding.example.com:${port}/`);
    for (let round = 0; round < 3; round++) await assert.rejects(outbound.get(url, { redirectedFrom: FROM }), REFUSED);
    assert.equal(requests, 0);
    // The same name is reached where no redirect leads to it.
    assert.equal((await bodyOf(await outbound.get(url))).toString(), 'inside');
    await assert.rejects(outbound.get(url, { redirectedFrom: FROM }), REFUSED, 'not over an open connection either');
  });

  test('reaches listed networks', async () => {
    const outbound = open({ privateNetworks: ['127.0.0.0/8'] });
    for (const host of ['127.0.0.1', 'name.example.com'])
      assert.equal(
        (await bodyOf(await outbound.get(new URL(`http://${host}:${port}/`), { redirectedFrom: FROM }))).toString(),
        'inside',
      );
    await assert.rejects(outbound.get(new URL('http://10.0.0.1/'), { redirectedFrom: FROM }), REFUSED);
  });

  test('reaches addresses like that of the redirecting server, but none further inside', async () => {
    const outbound = open();
    // A name is as far inside as the addresses at which it was reached.
    const registry = new URL(`http://inner.example.org:${port}`);
    const target = new URL(`http://127.0.0.1:${port}/`);
    await assert.rejects(outbound.get(target, { redirectedFrom: registry }), REFUSED);
    await bodyOf(await outbound.get(registry));
    assert.equal((await bodyOf(await outbound.get(target, { redirectedFrom: registry }))).toString(), 'inside');
    for (const host of ['0.0.0.0', '169.254.169.254'])
      await assert.rejects(outbound.get(new URL(`http://${host}:${port}/`), { redirectedFrom: registry }), REFUSED);
    const privateRegistry = new URL('http://10.0.0.7');
    await assert.rejects(outbound.get(target, { redirectedFrom: privateRegistry }), REFUSED);
  });

  test('through a proxy does not reach private addresses; names are resolved by the proxy', async () => {
    const outbound = open({ proxies: { HTTP_PROXY: proxyUrl } });
    await assert.rejects(outbound.get(new URL(`http://127.0.0.1:${port}/`), { redirectedFrom: FROM }), REFUSED);
    await assert.rejects(outbound.get(new URL(`http://localhost:${port}/`), { redirectedFrom: FROM }), REFUSED);
    const named = new URL('http://name.example.com/a');
    assert.equal(
      (await bodyOf(await outbound.get(named, { redirectedFrom: FROM }))).toString(),
      `proxied ${named.href}`,
    );
    // The address of the proxy says nothing about that of the registry.
    await bodyOf(await outbound.get(FROM));
    await assert.rejects(outbound.get(new URL(`http://127.0.0.1:${port}/`), { redirectedFrom: FROM }), REFUSED);
  });
});
