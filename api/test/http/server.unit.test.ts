import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestApp, type TestAppOptions } from './test-app.ts';

const routes: TestAppOptions['routes'] = (app) => {
  app.get('/', async (request) => ({ path: 'root', query: request.query }));
  app.get('/items/:id', async ({ params, query, host, ip }) => ({ ...(params as object), query, host, ip }));
  app.get('/broken', async () => {
    throw new Error('broken');
  });
};

describe('below the path of PUBLIC_URL', () => {
  const paths: [path: string, status: number, id?: string][] = [
    ['/registry/items/1', 200, '1'],
    ['/items/1', 200, '1'],
    ['/registry/items/a%2Fb?q=1', 200, 'a/b'],
    ['/registry', 200],
    ['/registry/', 200],
    ['/registry?q=1', 200],
    ['/', 200],
    ['/registryx/items/1', 404],
    ['/items/registry/items', 404],
    ['/registry/registry/items/1', 404],
    ['/registry/items/registry', 200, 'registry'],
    ['/Registry/items/1', 404],
  ];
  for (const headers of [{}, { 'x-forwarded-host': 'example.org' }, { forwarded: 'host=example.org' }]) {
    test(`routes work with and without the prefix, with the headers ${JSON.stringify(headers)}`, async (t) => {
      const { url } = await startTestApp(t, { routes, basePath: '/registry' });
      for (const [path, status, id] of paths) {
        const response = await fetch(`${url}${path}`, { headers });
        assert.equal(response.status, status, path);
        if (id !== undefined) assert.equal(((await response.json()) as { id: string }).id, id, path);
      }
    });
  }

  test('a query string is kept unchanged', async (t) => {
    const { url } = await startTestApp(t, { routes, basePath: '/registry' });
    assert.deepEqual(await (await fetch(`${url}/registry?a=/registry`)).json(), {
      path: 'root',
      query: { a: '/registry' },
    });
  });

  test('prefixed paths do not exist if PUBLIC_URL has no path', async (t) => {
    const { url } = await startTestApp(t, { routes });
    assert.equal((await fetch(`${url}/items/1`)).status, 200);
    assert.equal((await fetch(`${url}/registry/items/1`)).status, 404);
  });
});

describe('forwarding headers', () => {
  const headers = { 'x-forwarded-host': 'example.org', 'x-forwarded-for': '192.0.2.7' };

  test('of a trusted proxy set the host and the client address', async (t) => {
    const { url } = await startTestApp(t, { routes });
    const { host, ip } = (await (await fetch(`${url}/items/1`, { headers })).json()) as Record<string, string>;
    assert.deepEqual([host, ip], ['example.org', '192.0.2.7']);
  });

  test('of any other client are ignored', async (t) => {
    const { url } = await startTestApp(t, { routes, trustedProxies: ['198.51.100.0/24'] });
    const { host, ip } = (await (await fetch(`${url}/items/1`, { headers })).json()) as Record<string, string>;
    assert.deepEqual([host, ip], [new URL(url).host, '127.0.0.1']);
  });
});

describe('a request ID', () => {
  test('is unique for each request', async (t) => {
    const { url } = await startTestApp(t, { routes });
    const ids = new Set<string | null>();
    for (const path of ['/', '/items/1', '/broken', '/nowhere']) {
      const response = await fetch(`${url}${path}`, { headers: { 'request-id': 'proxys-request-id' } });
      ids.add(response.headers.get('x-request-id'));
    }
    assert.equal(ids.size, 4);
    for (const id of ids) assert.match(id ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test('identifies the log lines of its request', async (t) => {
    const { url, logs } = await startTestApp(t, { routes });
    const id = (await fetch(`${url}/broken`)).headers.get('x-request-id');
    assert.deepEqual(
      logs.filter(({ requestId }) => requestId === id).map(({ level }) => level),
      [50, 30],
    );
  });
});

describe('the log', () => {
  const secrets = {
    'x-api-key': 'reg_secret-key',
    'authorization': 'Bearer reg_secret-bearer',
    'cookie': 'session=secret-cookie',
    'x-secret-key': 'secret-internal',
    'x-account': '{"id":"secret-account"}',
  };

  test('has one line per request, with method, path, status, duration and client', async (t) => {
    const { url, logs } = await startTestApp(t, { routes });
    await fetch(`${url}/items/1?q=x`);
    const { level, time, requestId, durationMs, bytesIn, bytesOut, ...rest } = logs.at(-1) ?? {};
    assert.deepEqual(rest, {
      method: 'GET',
      path: '/items/1',
      route: '/items/:id',
      status: 200,
      ip: '127.0.0.1',
      hostname: hostname(),
      msg: 'request',
    });
    for (const value of [level, time, durationMs, bytesIn, bytesOut]) assert.ok(Number(value) > 0);
    assert.equal(typeof requestId, 'string');
    assert.equal(logs.filter((line) => 'path' in line).length, 1);
  });

  test('never contains keys, cookies, secrets or queries', async (t) => {
    const { url, logs } = await startTestApp(t, { routes, logLevel: 'trace' });
    for (const path of ['/', '/items/1', '/broken', '/nowhere', '/items/%'])
      await fetch(`${url}${path}?key=secret-query`, { headers: secrets });
    assert.ok(logs.length >= 5);
    assert.doesNotMatch(JSON.stringify(logs), /secret/);
  });

  test('omits lines below its level', async (t) => {
    const { url, logs } = await startTestApp(t, { routes, logLevel: 'warn' });
    await fetch(`${url}/`);
    assert.deepEqual(logs, []);
    await fetch(`${url}/broken`);
    assert.equal(logs.length, 1);
  });
});

test('garbage on a connection gets a problem document, and the server keeps running', async (t) => {
  const { url } = await startTestApp(t, { routes });
  for (const [bytes, status, code] of [
    ['garbage\r\n\r\n', 400, 'request_invalid'],
    ['GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n', 400, 'request_invalid'],
    [requestHead('GET', '/', { 'x-long': 'x'.repeat(20_000) }), 431, 'headers_too_large'],
  ] as const) {
    const connection = await openConnection(url);
    await connection.send(bytes);
    const answer = await connection.answer();
    assert.equal(answer.status, status);
    assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
    const problem = JSON.parse(answer.body) as Record<string, unknown>;
    assert.deepEqual([problem['status'], problem['code']], [status, code]);
    await connection.closed();
  }
  assert.equal((await fetch(`${url}/`)).status, 200);
});

test('a request in flight is answered during shutdown, and idle connections do not delay it', async (t) => {
  const proceed = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const { app, url } = await startTestApp(t, {
    routes: (it) => {
      it.get('/slow', async () => {
        arrived.resolve();
        await proceed.promise;
        return 'done';
      });
      it.get('/', async () => 'ok');
    },
  });
  const idle = await openConnection(url);
  await idle.send(requestHead('GET', '/'));
  assert.equal((await idle.answer()).status, 200);
  const inFlight = new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(`${url}/slow`, resolve).on('error', reject).end();
  });
  await arrived.promise;
  const closed = app.close();
  await idle.closed();
  proceed.resolve();
  assert.equal((await inFlight).resume().statusCode, 200);
  await closed;
});
