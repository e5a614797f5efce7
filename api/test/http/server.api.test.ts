import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection } from '../support/raw-http.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, startTestServer, type TestServer } from '../support/test-server.ts';

const TARBALL = await npmTarball({ files: { 'index.js': 'x'.repeat(10_000) } });

describe('below a PUBLIC_URL with a path', () => {
  const PROXY = { 'x-forwarded-host': 'example.org', 'x-forwarded-proto': 'https' };
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ env: { PUBLIC_URL: 'https://example.org/registry' } });
    assert.equal((await server.upload('@acme/plugin@1', { file: TARBALL })).status, 201);
    await server.api('PATCH', '/artefacts/%40acme%2Fplugin%401', { headers: server.internal, body: { public: true } });
  });
  after(() => server.close());

  test('direct requests to the container work with and without the path', async () => {
    for (const prefix of ['', '/registry']) {
      for (const path of [
        '/api/v1/artefacts/%40acme%2Fplugin%401',
        '/api/v1/artefacts/%40acme%2Fplugin%401/tarball',
        '/api/ping',
        '/api/health/ready',
        '/api-docs/',
        '/',
      ]) {
        assert.equal(
          (await fetch(`${server.url}${prefix}${path}`, { headers: server.internal })).status,
          200,
          prefix + path,
        );
      }
    }
  });

  test('requests through the proxy work below the path', async () => {
    assert.equal(
      (await fetch(`${server.url}/registry/api/v1/artefacts/%40acme%2Fplugin%401`, { headers: PROXY })).status,
      200,
    );
    await readProblem(
      await fetch(`${server.url}/registryx/api/v1/artefacts`, { headers: PROXY }),
      404,
      'route_not_found',
    );
  });

  test('the OpenAPI document contains the public URL', async () => {
    const { openapi, servers } = (await (await server.api('GET', '/openapi.json')).json()) as {
      openapi: string;
      servers: { url: string }[];
    };
    assert.match(openapi, /^3\.1\./);
    assert.deepEqual(servers, [{ url: 'https://example.org/registry' }]);
  });

  test('a user can sign in and make changes through the proxy', async () => {
    const signedIn = await fetch(`${server.url}/registry/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { ...PROXY, 'content-type': 'application/json', 'origin': 'https://example.org' },
      body: JSON.stringify({ email: ADMIN_EMAIL, password: ADMIN_PASSWORD }),
    });
    assert.equal(signedIn.status, 200);
    const cookie = signedIn.headers
      .getSetCookie()
      .map((it) => it.split(';', 1)[0])
      .join('; ');
    const post = (origin: string) =>
      fetch(`${server.url}/registry/api/v1/api-keys`, {
        method: 'POST',
        headers: { ...PROXY, cookie, origin, 'content-type': 'application/json' },
        body: '{"type":"upload","name":"CI"}',
      });
    assert.equal((await post('https://example.org')).status, 201);
    await readProblem(await post('https://evil.example'), 403, 'cross_origin');
  });
});

describe('metrics', () => {
  test('cover requests, bytes, slots, blobs and database time, and are hidden from the public proxy', async () => {
    const server = await startTestServer();
    await server.upload('one', { file: TARBALL });
    await server.upload('one', { file: TARBALL, fields: { architecture: 'x64' } });
    const metrics = async () => (await fetch(`${server.url}/metrics`)).text();
    await eventually(async () =>
      assert.match(
        await metrics(),
        new RegExp(
          String.raw`berth_http_request_duration_seconds_count\{method="POST",` +
            String.raw`route="/api/v1/artefacts/npm/:id",status="201"\} 2`,
        ),
      ),
    );
    const text = await metrics();
    assert.match(text, /^berth_slots 2$/m);
    assert.match(text, /^berth_blobs 1$/m);
    assert.match(text, new RegExp(`^berth_blob_bytes ${TARBALL.length}$`, 'm'));
    for (const name of [
      'berth_http_received_bytes_total',
      'berth_http_sent_bytes_total',
      'berth_database_query_duration_seconds_count',
    ])
      assert.match(text, new RegExp(`^${name} [1-9]`, 'm'));
    assert.doesNotMatch(text, /route="[^"]*one/);
    for (const headers of [{ 'x-forwarded-host': 'example.org' }, { forwarded: 'host=example.org' }])
      await readProblem(await fetch(`${server.url}/metrics`, { headers }), 404, 'route_not_found');
    await server.close();
  });

  test('can be disabled, or served on a separate port', async () => {
    const off = await startTestServer({ env: { METRICS: 'false' } });
    await readProblem(await fetch(`${off.url}/metrics`), 404, 'route_not_found');
    await off.close();
    const port = await freePort();
    const separate = await startTestServer({ env: { METRICS_PORT: String(port) } });
    await readProblem(await fetch(`${separate.url}/metrics`), 404, 'route_not_found');
    assert.match(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), /^berth_slots 0$/m);
    await separate.close();
  });
});

test('the log contains one line per request, and no keys, cookies, secrets, passwords or queries', async () => {
  const server = await startTestServer({ env: { LOG_LEVEL: 'trace' } });
  const { cookie = '' } = await server.superadmin();
  const key = await server.uploadKey();
  server.logs.splice(0);
  const requests = [
    () => server.api('GET', '/artefacts?q=secret-query', { headers: { cookie } }),
    () => server.api('GET', '/artefacts', { headers: server.internal }),
    () => server.api('GET', '/artefacts', { headers: { 'x-secret-key': 'secret-wrong' } }),
    () => server.api('GET', '/artefacts', { headers: { 'x-api-key': `${key}0` } }),
    () => server.upload('a', { file: TARBALL, headers: { 'x-api-key': key } }),
    () => server.upload('b', { file: Buffer.from('secret-content'), headers: { authorization: `Bearer ${key}` } }),
    () =>
      fetch(`${server.url}/api/auth/sign-in/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: ADMIN_EMAIL, password: 'secret-password' }),
      }),
  ];
  for (const request of requests) await (await request()).text();
  const text = server.logs.join('');
  const token = decodeURIComponent(cookie.split('=')[1] ?? '').split('.')[0] ?? '';
  assert.ok(token.length > 10);
  for (const secret of [key, key.slice(-64), token, cookie, 'internal-secret', 'secret-', ADMIN_PASSWORD])
    assert.ok(!text.includes(secret), secret);
  assert.equal(
    server.logs.filter((line) => (JSON.parse(line) as { msg: string }).msg === 'request').length,
    requests.length,
  );
  await server.close();
});

test('a shutdown refuses new connections and finishes an upload in flight, which survives a restart', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-stop-'));
  const secrets = { API_KEYS_SALT: 's'.repeat(32), CIPHER_PASSWORD: 'c'.repeat(32), AUTH_SECRET: 'a'.repeat(32) };
  const server = await startTestServer({ dataDir, env: secrets });
  const upload = await beginSlowUpload(server, { id: 'in-flight', file: TARBALL });
  const stopped = server.close();
  await eventually(async () => {
    await assert.rejects(openConnection(server.url));
  });
  assert.equal((await upload.finish()).status, 201);
  await stopped;

  const restarted = await startTestServer({ dataDir, env: secrets });
  const download = await restarted.api('GET', '/artefacts/in-flight/tarball', { headers: restarted.internal });
  assert.deepEqual(Buffer.from(await download.arrayBuffer()), TARBALL);
  await assertTidy(restarted);
  await restarted.close();
  await rm(dataDir, { recursive: true });
});

test('a shutdown waits at most SHUTDOWN_GRACE_SECONDS for a stalled client', async () => {
  const server = await startTestServer({ env: { SHUTDOWN_GRACE_SECONDS: '0' } });
  const upload = await beginSlowUpload(server, { id: 'stuck', file: TARBALL });
  await server.close();
  await upload.connection.closed();
});
