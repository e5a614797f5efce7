import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, bytesOf, documentOf, publish, resultOf, share, type RemoteClient } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

const MIB = 1024 * 1024;

for (const dialect of DIALECTS) {
  describe(`a mirror on ${dialect} whose original is in trouble`, () => {
    let upstream: TestServer;
    let mirror: TestServer;
    let proxy: TroubledProxy;
    let remote: RemoteClient;
    before(async () => {
      upstream = await startTestServer();
      mirror = await startTestServer({ dialect, env: { REMOTE_TIMEOUT_SECONDS: '1' } });
      proxy = await startTroubledProxy(upstream.url);
      remote = await addRemote(mirror, proxy.url, await upstream.readKey({ type: 'organization', id: 'mirrors' }));
    });
    after(async () => { await Promise.all([mirror.close(), proxy.close(), upstream.close()]); });
    beforeEach(() => {
      proxy.trouble = undefined;
      proxy.cutAfterBytes = undefined;
      proxy.passedBytes = 0;
      proxy.requests = [];
    });

    async function publishFile(id: string, file: Buffer): Promise<void> {
      assert.equal((await upstream.upload(id, { format: 'file', file, fileName: 'data.bin' })).status, 201);
      await share(upstream, id);
    }

    test('goes on where a cut has stopped it, and fetches next to nothing twice', async () => {
      const file = randomBytes(24 * MIB);
      await publishFile('cut', file);
      proxy.cutAfterBytes = 9 * MIB;
      const view = await remote.select('cut');
      assert.deepEqual([resultOf(view, 'cut').status, view.lastSyncStatus], ['updated', 'success']);
      assert.deepEqual(await bytesOf(mirror, 'cut'), file);
      assert.ok(proxy.passedBytes < file.length * 1.05, `${proxy.passedBytes} bytes for ${file.length}`);
      const ranges = proxy.requests.filter(({ headers }) => headers.range !== undefined).map(({ headers }) => [headers.range, headers['if-range'] !== undefined]);
      assert.equal(ranges.length, 2);
      assert.ok(ranges.every(([, hasCondition]) => hasCondition));
    });

    test('says of what failed inside no more than that, and the rest in its log', async () => {
      await publish(upstream, 'inside@1', '1.0.0');
      await query(mirror, 'alter table tarball_scans rename to away');
      const view = await remote.select('inside@1');
      await query(mirror, 'alter table away rename to tarball_scans');
      const { status, reason } = resultOf(view, 'inside@1');
      assert.deepEqual([status, reason], ['failed', 'Something failed inside of this registry: its log tells what.']);
      assert.ok(mirror.logs.some((line) => line.includes('background work failed') && line.includes('tarball_scans')));
      assert.equal(resultOf(await remote.sync('?only=failed'), 'inside@1').status, 'updated');
    });

    test('notes a failure with its reason, leaves the others alone, and goes on where it was when it is tried again', async () => {
      const file = randomBytes(12 * MIB);
      await publishFile('later', file);
      await publish(upstream, 'well@1', '1.0.0');
      let served = 0;
      proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/artefacts/later/download') || served++ < 1) return false;
        response.destroy();
        return true;
      };
      proxy.cutAfterBytes = 8 * MIB;
      const view = await remote.select('later', 'well@1');
      const failed = resultOf(view, 'later');
      assert.deepEqual([failed.status, failed.attempts, resultOf(view, 'well@1').status, view.lastSyncStatus], ['failed', 1, 'updated', 'error']);
      assert.match(failed.reason ?? '', /cannot be reached|cut short/);
      assert.ok((failed.nextTryAt ?? '') > new Date().toISOString());
      assert.match(view.lastSyncError ?? '', /1 of the selected artefacts failed/);
      assert.equal(await documentOf(mirror, 'later'), undefined);

      proxy.trouble = undefined;
      proxy.passedBytes = 0;
      const retried = await remote.sync('?only=failed');
      assert.deepEqual([resultOf(retried, 'later').status, retried.lastSyncStatus], ['updated', 'success']);
      assert.ok(proxy.passedBytes < 5 * MIB, `${proxy.passedBytes} bytes came for the last 4 MiB`);
      assert.deepEqual(await bytesOf(mirror, 'later'), file);
    });

    test('begins anew when the bytes have changed meanwhile, and never mixes them', async () => {
      const [first, second] = [randomBytes(10 * MIB), randomBytes(10 * MIB)];
      await publishFile('moving', first);
      let served = 0;
      proxy.trouble = async ({ url = '' }) => {
        if (!url.includes('/artefacts/moving/download')) return false;
        if (served++ > 0) proxy.cutAfterBytes = undefined;
        if (served === 2) await publishFile('moving', second);
        return false;
      };
      proxy.cutAfterBytes = 6 * MIB;
      const view = await remote.select('moving');
      assert.equal(resultOf(view, 'moving').status, 'updated');
      assert.deepEqual(await bytesOf(mirror, 'moving'), second);
    });

    for (const [what, expected, trouble] of [
      ['hangs', /nothing came for 1 s|cut short|cannot be reached/, () => true],
      ['answers with garbage', /no list of artefacts|no JSON/, (_incoming, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'); return true; }],
      ['refuses', /answers with 403: no entry/, (_incoming, response) => { response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{"detail":"no entry"}'); return true; }],
    ] as [string, RegExp, NonNullable<TroubledProxy['trouble']>][]) {
      test(`says so when the remote ${what}, within its time-out`, async () => {
        proxy.trouble = trouble;
        const { lastSyncAt } = await remote.get();
        assert.equal((await remote.ask('POST', '/sync')).status, 202);
        await eventually(async () => {
          const view = await remote.get();
          assert.notEqual(view.lastSyncAt, lastSyncAt);
          assert.deepEqual([view.lastSyncStatus, view.syncState], ['error', 'idle']);
          assert.match(view.lastSyncError ?? '', expected);
        });
        const page = await remote.ask('GET', '/remote-artefacts');
        assert.equal(page.status, 502);
        assert.match((await page.json() as { detail: string }).detail, expected);
        proxy.trouble = undefined;
        assert.equal((await remote.sync()).lastSyncStatus, 'success');
      });
    }

    for (const [what, expected, lie] of [
      ['digest', /digest/, (document: Record<string, unknown>) => ({ ...document, digest: `sha256:${'0'.repeat(64)}` })],
      ['size', /bytes, but the remote registry says/, (document: Record<string, unknown>) => ({ ...document, size: 12 })],
    ] as const) {
      test(`refuses bytes of another ${what} than the document says`, async () => {
        const id = `lying-${what}`;
        await publishFile(id, randomBytes(1000));
        const original = await documentOf(upstream, id) ?? {};
        proxy.trouble = ({ url = '' }, response) => {
          if (!url.endsWith(`/artefacts/${id}`) && !url.includes('/artefacts?')) {
            if (!url.includes('/download')) return false;
            // Without the validators that would give it away at once.
            response.writeHead(200, { 'content-type': 'application/octet-stream', ...(what === 'size' && { 'content-length': '1000' }) }).end(randomBytes(1000));
            return true;
          }
          const body = lie(original);
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(url.includes('?') ? { results: [body], count: 1 } : body));
          return true;
        };
        const result = resultOf(await remote.select(id), id);
        assert.equal(result.status, 'failed');
        assert.match(result.reason ?? '', expected);
        assert.equal(await documentOf(mirror, id), undefined);
        await remote.ask('DELETE', `/selected-artefacts/${id}`);
      });
    }

    test('says so when the announced digest is steadily another one than that of the document', async () => {
      await publishFile('contradicting', randomBytes(1000));
      const other = Buffer.alloc(32, 7).toString('base64');
      proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/artefacts/contradicting/download')) return false;
        response.writeHead(200, { 'content-length': '1000', 'repr-digest': `sha-256=:${other}:` }).end(randomBytes(1000));
        return true;
      };
      const result = resultOf(await remote.select('contradicting'), 'contradicting');
      assert.equal(result.status, 'failed');
      assert.match(result.reason ?? '', /contradicts itself: its document says sha256:[0-9a-f]{64}, its bytes are announced as sha256:0707/);
      await remote.ask('DELETE', '/selected-artefacts/contradicting');
    });

    test('gives up bytes that come in drops, though it is never quite silent', async () => {
      await publishFile('dripping', randomBytes(1000));
      proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/artefacts/dripping/download')) return false;
        response.writeHead(200, { 'content-length': '1000' });
        const timer = setInterval(() => { response.write('x'); }, 200);
        response.once('close', () => { clearInterval(timer); });
        return true;
      };
      const result = resultOf(await remote.select('dripping'), 'dripping');
      assert.equal(result.status, 'failed');
      assert.match(result.reason ?? '', /cut short: only \d+ bytes came in 1 s/);
      await remote.ask('DELETE', '/selected-artefacts/dripping');
    });

    test('gives up an original that begins anew after each cut, and never comes to an end', async () => {
      await publishFile('endless', randomBytes(MIB));
      proxy.trouble = (incoming) => {
        delete incoming.headers.range;
        return false;
      };
      proxy.cutAfterBytes = MIB / 2;
      const result = resultOf(await remote.select('endless'), 'endless');
      assert.equal(result.status, 'failed');
      assert.match(result.reason ?? '', /cut short|cannot be reached/);
      await remote.ask('DELETE', '/selected-artefacts/endless');
    });

    test('changes nothing when the list has shrunk by more than half, until somebody confirms it', async () => {
      for (const name of ['s1', 's2', 's3']) await publish(upstream, `${name}@1`, '1.0.0');
      await remote.select('s1@1', 's2@1', 's3@1');
      await remote.sync();
      proxy.trouble = ({ url = '' }, response) => {
        if (url.includes('/artefacts?')) response.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[],"count":0}');
        else if (/artefacts\/s\d/.test(url)) response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{}');
        else return false;
        return true;
      };
      const held = await remote.sync();
      assert.equal(held.lastSyncStatus, 'error');
      assert.match(held.lastSyncError ?? '', /confirm=true/);
      assert.notEqual(resultOf(held, 's1@1').status, 'gone');
      const confirmed = await remote.sync('?confirm=true');
      assert.deepEqual([confirmed.lastSyncStatus, resultOf(confirmed, 's1@1').status], ['success', 'gone']);
      assert.notEqual(await documentOf(mirror, 's1@1'), undefined);
    });

    test('never shows its key to another origin that it is redirected to', async () => {
      const storage = await startTroubledProxy(upstream.url);
      try {
        const file = randomBytes(6 * MIB);
        await publishFile('elsewhere', file);
        const key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
        storage.trouble = (incoming) => { incoming.headers['x-api-key'] = key; return false; };
        storage.cutAfterBytes = 4 * MIB;
        const { digest } = await documentOf(upstream, 'elsewhere') as { digest: string };
        proxy.trouble = ({ url = '' }, response) => {
          if (!url.includes('/artefacts/elsewhere/download')) return false;
          response.writeHead(302, { 'location': `${storage.url}${url}`, 'etag': `"${digest}"`, 'repr-digest': `sha-256=:${Buffer.from(digest.replace('sha256:', ''), 'hex').toString('base64')}:` }).end();
          return true;
        };
        assert.equal(resultOf(await remote.select('elsewhere'), 'elsewhere').status, 'updated');
        assert.deepEqual(await bytesOf(mirror, 'elsewhere'), file);
        assert.equal(storage.requests.length, 2);
        assert.deepEqual(storage.requests.map(({ headers }) => headers['if-range']), [undefined, undefined]);
        assert.ok(proxy.requests.every(({ headers }) => headers['x-api-key'] !== undefined));
        assert.deepEqual(storage.requests.map(({ headers }) => headers['x-api-key']), [undefined, undefined]);
      } finally {
        await storage.close();
      }
    });

    test('fetches nothing back that the remote has from here', async () => {
      await publish(mirror, 'ours@1', '1.0.0');
      proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/artefacts?')) return false;
        const body = { _id: 'back@1', format: 'npm', category: 'other', origin: mirror.server.config.PUBLIC_URL, dataUpdatedAt: '2026-01-01T00:00:00.000Z', tarballs: {} };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ results: [body, { ...body, _id: 'ours@1' }], count: 2 }));
        return true;
      };
      assert.equal((await remote.ask('PATCH', '', { selectedPatterns: ['*'] })).status, 200);
      const view = await remote.sync('?confirm=true');
      assert.deepEqual([resultOf(view, 'back@1').status, resultOf(view, 'ours@1').status], ['skipped', 'skipped']);
      assert.match(resultOf(view, 'back@1').reason ?? '', /from this one/);
    });
  });
}
