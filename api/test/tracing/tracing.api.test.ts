import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const TRACES = ['4bf92f3577b34da6a3ce929d0e0e4736', '0af7651916cd43dd8448eb211c80319c'] as const;
const SPAN = '00f067aa0ba902b7';

describe('requests to other servers', () => {
  let server: TestServer;
  let remotePath: string;
  const received: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    received.push(request.headers['traceparent'] as string | undefined);
    response.writeHead(404).end();
  });

  before(async () => {
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    server = await startTestServer();
    remotePath = `/remote-registries/${encodeURIComponent(url)}`;
    const created = await server.api('POST', '/remote-registries', {
      headers: await server.superadmin(),
      body: { url, name: 'Elsewhere', apiKey: 'reg_key', schedule: null, selectedPatterns: ['@acme/*'] },
    });
    assert.equal(created.status, 201);
  });
  after(async () => {
    await server.close();
    other.close();
  });
  beforeEach(() => {
    received.length = 0;
  });

  const browse = async (headers: Record<string, string> = {}) =>
    server.api('GET', `${remotePath}/remote-artefacts`, { headers: { ...(await server.superadmin()), ...headers } });
  const fieldsOf = (traceparent = '') => /^00-([\da-f]{32})-([\da-f]{16})-(\d\d)$/.exec(traceparent)?.slice(1) ?? [];

  test('belong to the trace of the request that they are made for, each as a span of its own', async () => {
    await Promise.all(TRACES.map((trace) => browse({ traceparent: `00-${trace}-${SPAN}-01` })));
    const fields = received.map(fieldsOf);
    assert.ok(fields.length >= 2);
    assert.deepEqual(new Set(fields.map(([trace]) => trace)), new Set(TRACES));
    assert.deepEqual(new Set(fields.map(([, , flags]) => flags)), new Set(['01']));
    const spans = fields.map(([, span]) => span);
    assert.equal(new Set([...spans, SPAN]).size, fields.length + 1);
  });

  test('name no trace if the request has none', async () => {
    await browse();
    assert.ok(received.length > 0);
    assert.deepEqual(new Set(received), new Set([undefined]));
  });

  test('of a job have a trace of their own', async () => {
    const headers = { ...(await server.superadmin()), traceparent: `00-${TRACES[0]}-${SPAN}-01` };
    assert.equal((await server.api('POST', `${remotePath}/sync`, { headers })).status, 202);
    await eventually(async () => assert.ok(received.length > 0));
    const [trace = '', , flags] = fieldsOf(received[0]);
    assert.match(trace, /^[\da-f]{32}$/);
    assert.notEqual(trace, TRACES[0]);
    assert.equal(flags, '00');
  });
});
