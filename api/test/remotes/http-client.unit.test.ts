import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse, type IncomingMessage } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { createHttpClient, type HttpAnswer, type HttpClient } from '../../src/remotes/http-client.ts';
import { CERTIFICATE, KEY } from './certificate.ts';

const MIB = 1024 ** 2;
const BYTES = randomBytes(5 * MIB + 321);
const NO_HEADERS = {};

/** How a server answers, by path. */
type Answers = Record<string, (response: ServerResponse, incoming: IncomingMessage) => void>;

const ANSWERS: Answers = {
  '/sized': (response) => { response.writeHead(200, { 'content-length': BYTES.length }).end(BYTES); },
  '/chunked': (response) => {
    response.write(BYTES.subarray(0, 100));
    response.write(BYTES.subarray(100, MIB));
    response.end(BYTES.subarray(MIB));
  },
  '/unsized': (response) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' }).end(BYTES);
  },
  '/short': (response) => { response.writeHead(404, { 'content-type': 'text/plain' }).end('no'); },
  '/echo': (response, { headers, socket }) => { response.end(JSON.stringify({ port: socket.remotePort, ...headers })); },
  '/cut': (response) => {
    response.writeHead(200, { 'content-length': BYTES.length });
    response.write(BYTES.subarray(0, 2 * MIB), () => { response.destroy(); });
  },
  '/stalled': (response) => { response.writeHead(200, { 'content-length': BYTES.length }).write(BYTES.subarray(0, MIB)); },
  '/silent': () => undefined,
};

function answer(incoming: IncomingMessage, response: ServerResponse): void { ANSWERS[incoming.url ?? '']?.(response, incoming); }

async function listen(server: net.Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function bodyOf({ body }: HttpAnswer, pauseMs = 0): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const chunk of body) {
    if (pauseMs > 0) await sleep(pauseMs);
    copies.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(copies);
}

function digestOf(bytes: Uint8Array): string { return createHash('sha256').update(bytes).digest('hex'); }

describe('a client of other servers', () => {
  let server: Server;
  let origin: string;
  let client: HttpClient;
  const get = (path: string, signal?: AbortSignal) => client.get(new URL(path, origin), NO_HEADERS, signal);

  before(async () => {
    server = createServer(answer);
    origin = `http://127.0.0.1:${await listen(server)}`;
    client = createHttpClient({ timeoutMs: 500, maxConnections: 2 });
  });
  after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });

  for (const path of ['/sized', '/chunked', '/unsized']) {
    for (const pauseMs of [0, 2]) {
      test(`reads what is ${path.slice(1)}${pauseMs > 0 ? ', however slowly it is taken' : ''}, several at a time`, async () => {
        const digests = await Promise.all(Array.from({ length: 5 }, async () => digestOf(await bodyOf(await get(path), pauseMs))));
        assert.deepEqual(new Set(digests), new Set([digestOf(BYTES)]));
      });
    }
  }

  test('gives the status, the headers and the body of whatever answers', async () => {
    const refused = await get('/short');
    assert.deepEqual([refused.status, refused.headers['content-type'], (await bodyOf(refused)).toString()], [404, 'text/plain', 'no']);
  });

  test('sends the headers that it is given, and uses a connection again', async () => {
    const ask = async () => JSON.parse((await bodyOf(await client.get(new URL(`${origin}/echo`), { 'x-api-key': 'reg_key' }))).toString()) as Record<string, unknown>;
    const first = await ask();
    assert.deepEqual([first['host'], first['x-api-key']], [new URL(origin).host, 'reg_key']);
    assert.equal((await ask())['port'], first['port']);
  });

  test('sends no header that would be two', async () => {
    await assert.rejects(client.get(new URL(`${origin}/echo`), { 'x-api-key': 'a\r\nb: c' }), /Invalid character/);
    assert.equal((await get('/short')).status, 404);
  });

  test('has no more connections to a server than it may', async () => {
    const held = await Promise.all([get('/sized'), get('/sized')]);
    const third = get('/short');
    assert.equal(await Promise.race([third.then(() => 'answered'), sleep(100, 'waits')]), 'waits');
    held[0].body.destroy();
    assert.equal((await third).status, 404);
    held[1].body.destroy();
    (await third).body.destroy();
  });

  test('lets go of who waits for a connection and does not want it any more', async () => {
    const held = await Promise.all([get('/sized'), get('/sized')]);
    const leaving = new AbortController();
    const left = get('/short', leaving.signal);
    const patient = get('/short');
    leaving.abort(new Error('enough'));
    await assert.rejects(left, /enough/);
    for (const { body } of held) body.destroy();
    assert.equal((await bodyOf(await patient)).toString(), 'no');
  });

  test('gives what came before a cut, and then says that it was cut', async () => {
    let count = 0;
    await assert.rejects(async () => { for await (const chunk of (await get('/cut')).body) count += chunk.length; }, /closed|ECONNRESET/);
    assert.ok(count > 0 && count <= 2 * MIB, String(count));
  });

  for (const path of ['/silent', '/stalled']) {
    test(`gives up what is ${path.slice(1)}`, async () => {
      await assert.rejects(async () => bodyOf(await get(path)), /nothing came for 0.5 s/);
    });
  }

  test('does not blame the other side for what is not taken', async () => {
    const slow = await get('/sized');
    await sleep(800);
    assert.equal(digestOf(await bodyOf(slow)), digestOf(BYTES));
  });

  test('ends a request with the reason of its signal, before the answer and after', async () => {
    for (const path of ['/silent', '/stalled']) {
      const ending = new AbortController();
      const reading = get(path, ending.signal).then((it) => bodyOf(it));
      setTimeout(() => { ending.abort(new Error('enough')); }, 50);
      await assert.rejects(reading, /enough/);
    }
    await assert.rejects(get('/short', AbortSignal.abort(new Error('never'))), /never/);
  });

  test('fails when nobody listens', async () => {
    const closed = net.createServer();
    const port = await listen(closed);
    closed.close();
    await assert.rejects(client.get(new URL(`http://127.0.0.1:${port}/`), NO_HEADERS), { code: 'ECONNREFUSED' });
  });

  test('speaks TLS, and only with whom it can trust', async () => {
    const secure = https.createServer({ key: KEY, cert: CERTIFICATE }, answer);
    const url = new URL(`https://localhost:${await listen(secure, '0.0.0.0')}/sized`);
    await assert.rejects(client.get(url, NO_HEADERS), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const trusted = tls.getCACertificates('default');
    tls.setDefaultCACertificates([...trusted, CERTIFICATE]);
    try {
      for (const pauseMs of [0, 2]) assert.equal(digestOf(await bodyOf(await client.get(url, NO_HEADERS), pauseMs)), digestOf(BYTES));
      await assert.rejects(client.get(new URL(url.href.replace('localhost', '127.0.0.2')), NO_HEADERS), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    } finally {
      tls.setDefaultCACertificates(trusted);
      secure.closeAllConnections();
      secure.close();
    }
  });
});

describe('a server that speaks as it likes', () => {
  /** Answers each request on a connection with what `says` gives for its number. */
  async function startRaw(says: (request: number, socket: net.Socket) => string): Promise<{ url: URL; connections: () => number; close(): void }> {
    let connections = 0;
    const server = net.createServer((socket) => {
      connections++;
      let request = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => { socket.write(says(++request, socket)); });
    });
    return { url: new URL(`http://127.0.0.1:${await listen(server)}/`), connections: () => connections, close: () => { server.close(); } };
  }

  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  test('and closes a connection that waits is asked again, over another one', async () => {
    const server = await startRaw((request, socket) => {
      if (request === 1) return OK;
      socket.destroy();
      return '';
    });
    const client = createHttpClient({ timeoutMs: 1000, maxConnections: 1 });
    for (let round = 0; round < 3; round++) assert.equal((await bodyOf(await client.get(server.url, NO_HEADERS))).toString(), 'ok');
    assert.equal(server.connections(), 3);
    client.close();
    server.close();
  });

  for (const [what, says, expected] of [
    ['no HTTP', 'SSH-2.0-OpenSSH_9\r\n', /not HTTP/],
    ['nothing but the end', '', /closed/],
  ] as const) {
    test(`and says ${what} is no server`, async () => {
      const server = await startRaw((_request, socket) => {
        if (says === '') socket.end();
        return says;
      });
      const client = createHttpClient({ timeoutMs: 1000, maxConnections: 1 });
      await assert.rejects(client.get(server.url, NO_HEADERS), expected);
      client.close();
      server.close();
    });
  }

  for (const [when, says] of [
    ['later', (_request: number, socket: net.Socket) => {
      setTimeout(() => { socket.write(OK); }, 50);
      return OK;
    }],
    ['in one packet with it', () => OK + OK],
  ] as const) {
    test(`and sends more than was asked for, ${when}, loses the connection, not the answer`, async () => {
      const server = await startRaw(says);
      const client = createHttpClient({ timeoutMs: 1000, maxConnections: 1 });
      assert.equal((await bodyOf(await client.get(server.url, NO_HEADERS))).toString(), 'ok');
      await sleep(200);
      assert.equal((await bodyOf(await client.get(server.url, NO_HEADERS))).toString(), 'ok');
      assert.equal(server.connections(), 2);
      client.close();
      server.close();
    });
  }
});
