import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http, { type RequestListener, type Server } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createOutbound, MAX_CONNECTIONS, type Outbound, type OutboundResponse } from '../../src/outbound/index.ts';
import { eventually } from '../support/eventually.ts';
import { CERTIFICATE, KEY } from './certificate.ts';

const BYTES = randomBytes(3_000_000);
const MODULE = join(import.meta.dirname, '../../src/outbound/index.ts');

async function listen(server: net.Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function bodyOf({ chunks }: OutboundResponse): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return Buffer.concat(read);
}

describe('requests to another server', () => {
  let server: Server;
  let url: URL;
  let outbound: Outbound;
  let connections = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  const answer: RequestListener = (request, response) => {
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    response.once('close', () => {
      inFlight--;
    });
    if (request.url === '/headers') response.end(JSON.stringify(request.headers));
    else if (request.url === '/twice') response.writeHead(201, { 'x-list': ['a', 'b'] }).end('ok');
    else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': BYTES.length });
      response.write(BYTES.subarray(0, 100_000), () => {
        setTimeout(() => {
          response.destroy();
        }, 50);
      });
    } else if (request.url === '/never') return;
    else
      setTimeout(() => {
        response.end(BYTES);
      }, 20);
  };
  before(async () => {
    server = http.createServer(answer);
    server.on('connection', () => {
      connections++;
    });
    url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    outbound = createOutbound({ timeoutMs: 5000 });
  });
  after(async () => {
    await outbound.close();
    server.closeAllConnections();
    server.close();
  });

  test('give the status, the headers and the body of whatever answers', async () => {
    const { status, headers, chunks } = await outbound.get(new URL('/twice', url));
    assert.deepEqual([status, headers['x-list']], [201, 'a,b']);
    assert.equal((await bodyOf({ chunks } as OutboundResponse)).toString(), 'ok');
  });

  test('send the headers that they are given', async () => {
    const sent = JSON.parse(
      (await bodyOf(await outbound.get(new URL('/headers', url), { headers: { 'x-api-key': 'reg_1' } }))).toString(),
    ) as Record<string, string>;
    assert.equal(sent['x-api-key'], 'reg_1');
    assert.equal(sent['host'], url.host);
  });

  test('share a bounded number of connections, which are kept', async () => {
    connections = mostInFlight = 0;
    const bodies = await Promise.all(
      Array.from({ length: 3 * MAX_CONNECTIONS }, async () => bodyOf(await outbound.get(url))),
    );
    assert.ok(bodies.every((body) => body.equals(BYTES)));
    assert.ok(
      connections <= MAX_CONNECTIONS && mostInFlight <= MAX_CONNECTIONS,
      `${connections}, ${mostInFlight} at once`,
    );
  });

  test('give what came before a cut, and then fail', async () => {
    const { chunks } = await outbound.get(new URL('/cut', url));
    let sizeBytes = 0;
    await assert.rejects(async () => {
      for await (const chunk of chunks) sizeBytes += chunk.length;
    });
    assert.equal(sizeBytes, 100_000);
  });

  test('end with the reason of their signal, before the response and after', async () => {
    const reason = new Error('not wanted any more');
    const waiting = new AbortController();
    const never = outbound.get(new URL('/never', url), { signal: waiting.signal });
    setTimeout(() => {
      waiting.abort(reason);
    }, 20);
    await assert.rejects(never, reason);
    const reading = new AbortController();
    const { chunks } = await outbound.get(url, { signal: reading.signal });
    await assert.rejects(async () => {
      for await (const chunk of chunks) if (chunk.length > 0) reading.abort(reason);
    }, reason);
  });

  test('close the connection of a body that nobody reads to its end', async () => {
    const before = inFlight;
    for await (const chunk of (await outbound.get(url)).chunks) if (chunk.length > 0) break;
    (await outbound.get(url)).discard();
    await eventually(async () => {
      assert.equal(inFlight, before);
    });
  });

  test('fail where nobody listens', async () => {
    const closed = net.createServer();
    const port = await listen(closed);
    closed.close();
    await assert.rejects(outbound.get(new URL(`http://127.0.0.1:${port}/`)), { code: 'ECONNREFUSED' });
  });

  test('are sent again over another connection when a kept one was closed meanwhile', async () => {
    let opened = 0;
    const closing = net.createServer((socket) => {
      opened++;
      let requests = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else if (opened === 1) socket.destroy();
        else socket.resetAndDestroy();
      });
    });
    const there = new URL(`http://127.0.0.1:${await listen(closing)}/`);
    for (let round = 0; round < 3; round++) assert.equal((await bodyOf(await outbound.get(there))).toString(), 'ok');
    assert.equal(opened, 3);
    closing.close();
  });
});

test('bodies that trickle and that nobody wants keep no connection from others', async () => {
  const trickling = http.createServer((request, response) => {
    if (request.url === '/wanted') return void response.end('ok');
    response.writeHead(302, { location: '/elsewhere' });
    const timer = setInterval(() => {
      response.write('x');
    }, 20);
    response.once('close', () => {
      clearInterval(timer);
    });
  });
  const there = new URL(`http://127.0.0.1:${await listen(trickling)}/`);
  const outbound = createOutbound({ timeoutMs: 500 });
  for (let round = 0; round < MAX_CONNECTIONS + 1; round++) (await outbound.get(there)).discard();
  assert.equal((await bodyOf(await outbound.get(new URL('/wanted', there)))).toString(), 'ok');
  await outbound.close();
  trickling.closeAllConnections();
  trickling.close();
});

describe('an outbound proxy', () => {
  let target: Server;
  let secureTarget: https.Server;
  let proxy: Server;
  let port: number;
  let securePort: number;
  let proxyUrl: string;
  let passed: string[] = [];
  let directory: string;
  before(async () => {
    const answer: RequestListener = (_request, response) => {
      response.end('there');
    };
    target = http.createServer(answer);
    secureTarget = https.createServer({ key: KEY, cert: CERTIFICATE }, answer);
    [port, securePort] = [await listen(target), await listen(secureTarget)];
    proxy = http.createServer((request, response) => {
      passed.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      http.get(request.url ?? '', (answered) => {
        answered.pipe(response);
      });
    });
    proxy.on('connect', (request, socket) => {
      passed.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
      const [host, to] = (request.url ?? '').split(':');
      const onward = net.connect(Number(to), host, () => {
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

  test('passes requests on over http, but for those hosts that need none', async () => {
    for (const [NO_PROXY, expected] of [
      [undefined, true],
      ['127.0.0.1', false],
      ['.example.org', true],
      ['*', false],
    ] as const) {
      passed = [];
      const outbound = createOutbound({ timeoutMs: 5000, proxies: { HTTP_PROXY: proxyUrl, NO_PROXY } });
      assert.equal((await bodyOf(await outbound.get(new URL(`http://127.0.0.1:${port}/a`)))).toString(), 'there');
      assert.deepEqual(passed.length > 0, expected, NO_PROXY);
      if (expected) assert.ok(passed[0]?.endsWith(AUTHORIZATION));
      await outbound.close();
    }
  });

  test('is asked over a bounded number of connections as well', async () => {
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

  test('that keeps silent fails the request in time', async () => {
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

  test('that is away, or refuses, fails the request', async () => {
    const closed = net.createServer();
    const away = await listen(closed);
    closed.close();
    const refusing = http.createServer();
    refusing.on('connect', (_request, socket) => {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    for (const there of [away, await listen(refusing)]) {
      const outbound = createOutbound({ timeoutMs: 2000, proxies: { HTTPS_PROXY: `http://127.0.0.1:${there}` } });
      await assert.rejects(outbound.get(new URL(`https://127.0.0.1:${securePort}/`)));
      await outbound.close();
    }
    refusing.close();
  });

  /** Runs a module in a process of its own: what is trusted is read at its start. */
  async function runElsewhere(program: string, env: Record<string, string>): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, ...env },
    });
    return stdout.trim();
  }
  const GET = (proxies: object) => `
    const { createOutbound } = await import(${JSON.stringify(MODULE)});
    const outbound = createOutbound({ timeoutMs: 5000, proxies: ${JSON.stringify(proxies)} });
    const { chunks } = await outbound.get(new URL('https://localhost:${securePort}/')).catch((error) => ({ chunks: [error.code] }));
    for await (const chunk of chunks) console.log(chunk.toString());
    await outbound.close();`;

  test('tunnels https, and NODE_EXTRA_CA_CERTS says who else is trusted, with a proxy or without', async () => {
    const ca = { NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') };
    assert.equal(await runElsewhere(GET({}), {}), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    assert.equal(await runElsewhere(GET({}), ca), 'there');
    passed = [];
    assert.equal(await runElsewhere(GET({ HTTPS_PROXY: proxyUrl }), ca), 'there');
    assert.deepEqual(passed, [`CONNECT localhost:${securePort} ${AUTHORIZATION}`]);
  });

  test('takes the requests of fetch as well, once a process says so', async () => {
    passed = [];
    const program = `
      const { useProxies } = await import(${JSON.stringify(MODULE)});
      useProxies(${JSON.stringify({ HTTPS_PROXY: proxyUrl })});
      console.log(await (await fetch('https://localhost:${securePort}/')).text());`;
    assert.equal(await runElsewhere(program, { NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') }), 'there');
    assert.deepEqual(passed, [`CONNECT localhost:${securePort} ${AUTHORIZATION}`]);
  });
});
