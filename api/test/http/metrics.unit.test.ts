import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMetrics, registerMetricsRoute } from '../../src/http/index.ts';
import { eventually } from '../support/eventually.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestApp } from './test-app.ts';

async function startApp(t: TestContext) {
  const metrics = createMetrics();
  const started = await startTestApp(t, {
    routes(app) {
      metrics.observe(app);
      app.get('/items/:id', async () => 'x'.repeat(10_000));
      app.post('/items', { schema: {} }, async (_request, reply) => reply.code(201).send('ok'));
      registerMetricsRoute(app, metrics, (headers) => 'x-forwarded-host' in headers);
    },
  });
  /** Reads one sample: `sample('berth_http_received_bytes_total')`, with its labels if it has any. */
  const sample = async (name: string): Promise<number | undefined> => {
    const line = (await metrics.render()).text.split('\n').find((text) => text.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  return { ...started, metrics, sample };
}

const requests = (method: string, route: string, status: number) =>
  `berth_http_request_duration_seconds_count{method="${method}",route="${route}",status="${status}"}`;

test('requests are counted by route, never by path', async (t) => {
  const { url, sample } = await startApp(t);
  for (const path of ['/items/1', '/items/2', '/nowhere/1', '/nowhere/2']) await (await fetch(`${url}${path}`)).text();
  await fetch(`${url}/items`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
  await eventually(async () => {
    assert.equal(await sample(requests('GET', '/items/:id', 200)), 2);
    assert.equal(await sample(requests('GET', 'unknown', 404)), 2);
    assert.equal(await sample(requests('POST', '/items', 201)), 1);
  });
});

test('bytes are counted once, also on a keep-alive connection', async (t) => {
  const { url, sample } = await startApp(t);
  const connection = await openConnection(url);
  const body = JSON.stringify({ text: 'x'.repeat(5000) });
  const posted =
    requestHead('POST', '/items', { 'content-type': 'application/json', 'content-length': body.length }) + body;
  const got = requestHead('GET', '/items/1');
  for (const bytes of [posted, got, posted, got]) {
    await connection.send(bytes);
    await connection.answer();
  }
  await eventually(async () => {
    assert.equal(await sample('berth_http_received_bytes_total'), 2 * (posted.length + got.length));
    assert.equal(await sample('berth_http_sent_bytes_total'), connection.socket.bytesRead);
  });
  connection.end();
});

test('gauges are read on each rendering, and queries are timed', async (t) => {
  const { metrics, sample } = await startApp(t);
  let slots = 3;
  metrics.gauge('berth_slots', 'Slots', () => Promise.resolve(slots));
  assert.equal(await sample('berth_slots'), 3);
  slots = 4;
  assert.equal(await sample('berth_slots'), 4);
  metrics.onQuery(0.25);
  metrics.onQuery(0.5);
  assert.equal(await sample('berth_database_query_duration_seconds_count'), 2);
  assert.equal(await sample('berth_database_query_duration_seconds_sum'), 0.75);
});

test('metrics are served as Prometheus text, and hidden from the public proxy', async (t) => {
  const { url } = await startApp(t);
  const response = await fetch(`${url}/metrics`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^process_resident_memory_bytes \d+$/m);
  assert.equal((await fetch(`${url}/metrics`, { headers: { 'x-forwarded-host': 'example.org' } })).status, 404);
});

test('two servers in one process count separately', async (t) => {
  const [one, other] = [await startApp(t), await startApp(t)];
  await (await fetch(`${one.url}/items/1`)).text();
  await eventually(async () => assert.equal(await one.sample(requests('GET', '/items/:id', 200)), 1));
  assert.equal(await other.sample(requests('GET', '/items/:id', 200)), undefined);
});
