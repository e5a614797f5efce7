// A remote registry that cannot be read: the run names the artefacts that it could not compare, and why.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { CERTIFICATE, KEY } from '../outbound/certificate.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, publish, resultOf, type RemoteClient, type RemoteView } from './pair.ts';
import { describeTroubledMirror } from './troubled-mirror.ts';

const answerWith =
  (status: number, body: string): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };

const LISTENERS: Record<string, { listener: RequestListener; reason: RegExp; code: string }> = {
  'answers with 500': {
    listener: answerWith(500, '{"detail":"broken"}'),
    reason: /responded with 500: broken/,
    code: 'remote_unavailable',
  },
  'answers with 503': { listener: answerWith(503, ''), reason: /responded with 503/, code: 'remote_unavailable' },
  'answers with 401': {
    listener: answerWith(401, '{"detail":"no key"}'),
    reason: /responded with 401: no key/,
    code: 'remote_refused',
  },
  'answers with 403': { listener: answerWith(403, ''), reason: /responded with 403/, code: 'remote_refused' },
  'answers with a long reason': {
    listener: answerWith(500, JSON.stringify({ detail: 'x'.repeat(10_000) })),
    reason: /responded with 500: x+/,
    code: 'remote_unavailable',
  },
  'never answers': { listener: () => undefined, reason: /cannot be reached/, code: 'remote_unavailable' },
  'closes the connection': {
    listener: ({ socket }) => socket.destroy(),
    reason: /cannot be reached/,
    code: 'remote_unavailable',
  },
  'sends a page': {
    listener: answerWith(200, '<html>'),
    reason: /not a list|not JSON/,
    code: 'remote_answer_invalid',
  },
};

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

for (const dialect of DIALECTS) {
  describe(`an unreachable remote registry of a mirror on ${dialect}`, () => {
    const servers: Server[] = [];
    const cases: [what: string, url: string, reason: RegExp, code: string][] = [];
    let mirror: TestServer;
    before(async () => {
      mirror = await startTestServer({ dialect, env: { REMOTE_TIMEOUT_SECONDS: '1' } });
      for (const [what, { listener, reason, code }] of Object.entries(LISTENERS)) {
        const server = createServer(listener);
        servers.push(server);
        cases.push([what, `http://127.0.0.1:${await listen(server)}`, reason, code]);
      }
      const closed = createServer();
      const closedPort = await listen(closed);
      closed.close();
      const tls = createTlsServer({ key: KEY, cert: CERTIFICATE }, answerWith(200, '{}'));
      servers.push(tls);
      const unreachable = [/cannot be reached/, 'remote_unavailable'] as const;
      cases.push(
        ['has no address', 'http://registry.invalid', ...unreachable],
        ['refuses connections', `http://127.0.0.1:${closedPort}`, ...unreachable],
        ['has a certificate of its own', `https://127.0.0.1:${await listen(tls)}`, ...unreachable],
        ['speaks no TLS', (cases[0]?.[1] ?? '').replace('http:', 'https:'), ...unreachable],
      );
    });
    after(async () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await mirror.close();
    });

    /** Requests a run once no retry is in progress. */
    async function sync(remote: RemoteClient): Promise<RemoteView> {
      for (;;) {
        await remote.settled();
        const response = await remote.ask('POST', '/sync');
        if (response.status === 202) return remote.settled();
        assert.equal(response.status, 409);
      }
    }

    for (const selected of [0, 1, 5]) {
      test(`is reported for ${selected} selected artefacts, whatever the reason`, async () => {
        const report = async ([what, url, reason, code]: (typeof cases)[number]) => {
          const remote = await addRemote(mirror, url, 'reg_key');
          const ids = Array.from({ length: selected }, (_, at) => `@test/pkg-${at}@1`);
          for (const artefactId of ids)
            assert.equal((await remote.ask('POST', '/selected-artefacts', { artefactId })).status, 201);
          // The first runs are those of the selections, this one is of all.
          const view = await sync(remote);
          const { done, total } = view.syncProgress ?? {};
          assert.deepEqual([done, total], [selected, selected], what);
          assert.deepEqual(
            view.results.map(({ artefactId, status }) => [artefactId, status]),
            ids.map((id) => [id, 'failed']),
            what,
          );
          for (const result of view.results) assert.match(result.reason ?? '', reason, what);
          if (selected === 0) {
            assert.deepEqual([view.lastSyncStatus, view.lastSyncError], ['success', undefined], what);
          } else {
            const text = view.lastSyncError ?? '';
            assert.deepEqual([view.lastSyncStatus, view.lastSyncErrorCode], ['error', code], what);
            for (const id of ids.slice(0, 3)) assert.ok(text.includes(`${id}: `), `${what}: ${text}`);
            assert.match(text, reason, what);
            assert.equal(/; and 2 more\.$/.test(text), selected === 5, `${what}: ${text}`);
            assert.ok(text.length < 1500, `${what}: ${text.length} characters`);
          }
          assert.equal((await remote.ask('DELETE')).status, 204);
        };
        await Promise.all(cases.map(report));
      });
    }
  });
}

describeTroubledMirror('whose original is away for a while', (it) => {
  test('has its results and its bytes again afterwards, without fetching anything', async () => {
    for (const id of ['steady@1', 'other@1']) await publish(it.upstream, id, '1.0.0');
    await it.remote.select('steady@1', 'other@1');
    it.proxy.trouble = (_incoming, response) => {
      response.writeHead(502).end();
      return true;
    };
    const away = await it.remote.sync();
    assert.deepEqual(
      away.results.map(({ status }) => status),
      ['failed', 'failed'],
    );
    it.proxy.trouble = undefined;
    it.proxy.requests = [];
    // The retry of the run, which nobody requests.
    while ((await it.remote.settled()).lastSyncStatus !== 'success') assert.ok(it.proxy.requests.length < 10);
    const view = await it.remote.get();
    for (const id of ['steady@1', 'other@1'])
      assert.deepEqual([resultOf(view, id).status, resultOf(view, id).reason], ['unchanged', undefined]);
    assert.ok(it.proxy.requests.every(({ path }) => !path.includes('/download') && !path.includes('/tarball')));
  });

  test('names the artefact whose document alone is refused', async () => {
    await publish(it.upstream, 'refused@1', '1.0.0');
    it.proxy.trouble = ({ url = '' }, response) => {
      if (!url.includes('refused')) return false;
      response.writeHead(403).end();
      return true;
    };
    const view = await it.remote.select('refused@1');
    assert.match(view.lastSyncError ?? '', /^refused@1: The remote registry responded with 403\.$/);
    assert.equal(view.lastSyncErrorCode, 'remote_refused');
  });
});
