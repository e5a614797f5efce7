import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { once } from 'node:events';
import { eventually } from '../support/eventually.ts';
import { startTestApp } from './test-app.ts';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

/** Sends one request, and returns its ID and the fields of its log line. */
async function send(t: TestContext, headers: Record<string, string | string[]>, trustedProxies = ['loopback']) {
  const { url, logs } = await startTestApp(t, {
    trustedProxies,
    routes(app) {
      app.get('/', async () => {
        throw new Error('broken');
      });
    },
  });
  const sent = request(url, { headers });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks = (await response.toArray()) as Buffer[];
  const { requestId } = JSON.parse(Buffer.concat(chunks).toString()) as { requestId: string };
  const lines = () => logs.filter((line) => line['requestId'] === requestId);
  await eventually(async () => assert.equal(lines().length, 2));
  const [error, end] = lines();
  assert.equal(error?.['trace_id'], end?.['trace_id']);
  assert.equal(response.headers['x-request-id'], requestId);
  return { requestId, traceId: end?.['trace_id'] };
}

for (const id of ['6f1c2f5e9d3b4a17', 'a1b2c3d4-e5f6-7890-abcd-ef0123456789', 'edge_7:42.1-x', 'x'.repeat(128)])
  test(`the request ID ${id.slice(0, 40)} of a trusted proxy is taken over`, async (t) => {
    assert.equal((await send(t, { 'x-request-id': id })).requestId, id);
  });

const MALFORMED_IDS: (string | string[])[] = [
  '',
  'short',
  'x'.repeat(129),
  'with space',
  'a"b\\c-123',
  '<script>1</script>',
  'éééééééé',
  ['12345678', '87654321'],
];
for (const id of MALFORMED_IDS)
  test(`the request ID ${JSON.stringify(id).slice(0, 40)} is replaced`, async (t) => {
    assert.match((await send(t, { 'x-request-id': id })).requestId, UUID);
  });

test('request and trace IDs of anybody else are ignored', async (t) => {
  const headers = { 'x-request-id': '6f1c2f5e9d3b4a17', 'traceparent': `00-${TRACE}-${SPAN}-01` };
  const { requestId, traceId } = await send(t, headers, ['198.51.100.0/24']);
  assert.match(requestId, UUID);
  assert.equal(traceId, undefined);
});

for (const traceparent of [
  `00-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-00`,
  `cc-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`,
])
  test(`the log has the trace of ${traceparent}`, async (t) => {
    assert.equal((await send(t, { traceparent })).traceId, TRACE);
  });

for (const traceparent of [
  '',
  'nonsense',
  `ff-${TRACE}-${SPAN}-01`,
  `0-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-more`,
  `cc-${TRACE}-${SPAN}-01.more`,
  `cc-${TRACE}-${SPAN}-01-${'x'.repeat(500)}`,
])
  test(`the traceparent ${JSON.stringify(traceparent).slice(0, 80)} counts as none`, async (t) => {
    assert.equal((await send(t, { traceparent })).traceId, undefined);
  });
