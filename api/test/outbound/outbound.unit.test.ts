import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http, { type RequestListener, type Server } from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createOutbound, MAX_CONNECTIONS, type Outbound } from '../../src/outbound/index.ts';
import { eventually } from '../support/eventually.ts';
import { bodyOf, listen } from './http-servers.ts';

const BYTES = randomBytes(3_000_000);

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

  test('return the status, headers and body of the response', async () => {
    const { status, headers, chunks } = await outbound.get(new URL('/twice', url));
    assert.deepEqual([status, headers['x-list']], [201, 'a,b']);
    assert.equal((await bodyOf({ chunks })).toString(), 'ok');
  });

  test('send the given headers', async () => {
    const sent = JSON.parse(
      (await bodyOf(await outbound.get(new URL('/headers', url), { headers: { 'x-api-key': 'reg_1' } }))).toString(),
    ) as Record<string, string>;
    assert.equal(sent['x-api-key'], 'reg_1');
    assert.equal(sent['host'], url.host);
  });

  test('share a bounded number of keep-alive connections', async () => {
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

  test('yield the bytes before a broken connection, then fail', async () => {
    const { chunks } = await outbound.get(new URL('/cut', url));
    let sizeBytes = 0;
    await assert.rejects(async () => {
      for await (const chunk of chunks) sizeBytes += chunk.length;
    });
    assert.equal(sizeBytes, 100_000);
  });

  test('fail with the reason of their signal, before and after the response head', async () => {
    const reason = new Error('aborted by the caller');
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

  test('close the connection of a body that is not read to its end', async () => {
    const before = inFlight;
    for await (const chunk of (await outbound.get(url)).chunks) if (chunk.length > 0) break;
    (await outbound.get(url)).discard();
    await eventually(async () => {
      assert.equal(inFlight, before);
    });
  });

  test('fail if no server listens', async () => {
    const closed = net.createServer();
    const port = await listen(closed);
    closed.close();
    await assert.rejects(outbound.get(new URL(`http://127.0.0.1:${port}/`)), { code: 'ECONNREFUSED' });
  });

  test('are retried over another connection when an idle one was closed by the server', async () => {
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

test('discarded bodies that trickle do not block connections', async () => {
  const trickling = http.createServer((request, response) => {
    if (request.url === '/next') return void response.end('ok');
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
  assert.equal((await bodyOf(await outbound.get(new URL('/next', there)))).toString(), 'ok');
  await outbound.close();
  trickling.closeAllConnections();
  trickling.close();
});
