import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http, { type RequestListener, type Server } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createOutbound, MAX_CONNECTIONS } from '../../src/outbound/index.ts';
import { CERTIFICATE, KEY } from './certificate.ts';
import { bodyOf, listen } from './http-servers.ts';

const MODULE = join(import.meta.dirname, '../../src/outbound/index.ts');

describe('an outbound proxy', () => {
  let target: Server;
  let secureTarget: https.Server;
  let proxy: Server;
  let port: number;
  let securePort: number;
  let proxyUrl: string;
  let forwarded: string[] = [];
  let directory: string;
  before(async () => {
    const answer: RequestListener = (_request, response) => {
      response.end('from the target');
    };
    target = http.createServer(answer);
    secureTarget = https.createServer({ key: KEY, cert: CERTIFICATE }, answer);
    [port, securePort] = [await listen(target), await listen(secureTarget)];
    proxy = http.createServer((request, response) => {
      forwarded.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      http.get(request.url ?? '', (proxied) => {
        proxied.pipe(response);
      });
    });
    proxy.on('connect', (request, socket) => {
      forwarded.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
      const [host, targetPort] = (request.url ?? '').split(':');
      const onward = net.connect(Number(targetPort), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      for (const one of [socket, onward])
        one.on('error', () => {
          socket.destroy();
          onward.destroy();
        });
    });
    proxyUrl = `http://ada:secret@127.0.0.1:${await listen(proxy)}`;
    directory = await mkdtemp(join(tmpdir(), 'berth-test-'));
    await writeFile(join(directory, 'ca.pem'), CERTIFICATE);
  });
  after(async () => {
    for (const server of [target, secureTarget, proxy]) {
      server.closeAllConnections();
      server.close();
    }
    await rm(directory, { recursive: true });
  });

  const AUTHORIZATION = `Basic ${Buffer.from('ada:secret').toString('base64')}`;

  test('forwards http requests, except those to NO_PROXY hosts', async () => {
    for (const [NO_PROXY, expected] of [
      [undefined, true],
      ['127.0.0.1', false],
      ['.example.org', true],
      ['*', false],
    ] as const) {
      forwarded = [];
      const outbound = createOutbound({ timeoutMs: 5000, proxies: { HTTP_PROXY: proxyUrl, NO_PROXY } });
      assert.equal(
        (await bodyOf(await outbound.get(new URL(`http://127.0.0.1:${port}/a`)))).toString(),
        'from the target',
      );
      assert.deepEqual(forwarded.length > 0, expected, NO_PROXY);
      if (expected) assert.ok(forwarded[0]?.endsWith(AUTHORIZATION));
      await outbound.close();
    }
  });

  test('is used over a bounded number of connections', async () => {
    let connections = 0;
    const count = () => {
      connections++;
    };
    proxy.on('connection', count);
    const outbound = createOutbound({ timeoutMs: 5000, proxies: { HTTP_PROXY: proxyUrl } });
    await Promise.all(
      Array.from({ length: 3 * MAX_CONNECTIONS }, async () =>
        bodyOf(await outbound.get(new URL(`http://127.0.0.1:${port}/`))),
      ),
    );
    proxy.off('connection', count);
    await outbound.close();
    assert.ok(connections > 0 && connections <= MAX_CONNECTIONS, String(connections));
  });

  test('that does not respond fails the request within the timeout', async () => {
    const silent = net.createServer((socket) => {
      socket.on('error', () => undefined);
    });
    const uri = `http://127.0.0.1:${await listen(silent)}`;
    const outbound = createOutbound({ timeoutMs: 300, proxies: { HTTP_PROXY: uri, HTTPS_PROXY: uri } });
    for (const url of [`http://127.0.0.1:${port}/`, `https://localhost:${securePort}/`])
      await assert.rejects(outbound.get(new URL(url)), /[Tt]imeout/, url);
    await outbound.close();
    silent.close();
  });

  test('that is unreachable, or refuses the tunnel, fails the request', async () => {
    const closed = net.createServer();
    const closedPort = await listen(closed);
    closed.close();
    const refusing = http.createServer();
    refusing.on('connect', (_request, socket) => {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    for (const proxyPort of [closedPort, await listen(refusing)]) {
      const outbound = createOutbound({ timeoutMs: 2000, proxies: { HTTPS_PROXY: `http://127.0.0.1:${proxyPort}` } });
      await assert.rejects(outbound.get(new URL(`https://127.0.0.1:${securePort}/`)));
      await outbound.close();
    }
    refusing.close();
  });

  /** Runs a program in its own process, since Node reads NODE_EXTRA_CA_CERTS at the start. */
  async function runProgram(program: string, env: Record<string, string>): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, ...env },
    });
    return stdout.trim();
  }
  const GET = (proxies: object) => `
    const { createOutbound } = await import(${JSON.stringify(MODULE)});
    const outbound = createOutbound({ timeoutMs: 5000, proxies: ${JSON.stringify(proxies)} });
    const { chunks } = await outbound
      .get(new URL('https://localhost:${securePort}/'))
      .catch((error) => ({ chunks: [error.code] }));
    for await (const chunk of chunks) console.log(chunk.toString());
    await outbound.close();`;

  test('tunnels https, and NODE_EXTRA_CA_CERTS adds trusted certificates with and without a proxy', async () => {
    const ca = { NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') };
    assert.equal(await runProgram(GET({}), {}), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    assert.equal(await runProgram(GET({}), ca), 'from the target');
    forwarded = [];
    assert.equal(await runProgram(GET({ HTTPS_PROXY: proxyUrl }), ca), 'from the target');
    assert.deepEqual(forwarded, [`CONNECT localhost:${securePort} ${AUTHORIZATION}`]);
  });

  test('also handles the requests of fetch once a process calls useProxies', async () => {
    forwarded = [];
    const program = `
      const { useProxies } = await import(${JSON.stringify(MODULE)});
      useProxies(${JSON.stringify({ HTTPS_PROXY: proxyUrl })});
      console.log(await (await fetch('https://localhost:${securePort}/')).text());`;
    assert.equal(await runProgram(program, { NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') }), 'from the target');
    assert.deepEqual(forwarded, [`CONNECT localhost:${securePort} ${AUTHORIZATION}`]);
  });
});
