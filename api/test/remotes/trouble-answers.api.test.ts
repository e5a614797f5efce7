import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { documentOf, resultOf, syncWhenIdle } from './pair.ts';
import { describeTroubledMirror, publishFile } from './troubled-mirror.ts';
import type { TroubledProxy } from './troubled-proxy.ts';

const MIB = 1024 * 1024;

describeTroubledMirror('whose original sends invalid responses', (it) => {
  for (const [what, expected, trouble] of [
    ['hangs', /cut short|cannot be reached/, () => true],
    [
      'sends HTML',
      /not a list of artefacts|not JSON/,
      (_incoming, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
        return true;
      },
    ],
    [
      'refuses',
      /responded with 403: no entry/,
      (_incoming, response) => {
        response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{"detail":"no entry"}');
        return true;
      },
    ],
  ] as [string, RegExp, NonNullable<TroubledProxy['trouble']>][]) {
    test(`reports the reason within its timeout when the remote ${what}`, async () => {
      // Without a selection, a run does not ask the remote registry.
      assert.equal((await it.remote.ask('PATCH', '', { selectedPatterns: ['none@*'] })).status, 200);
      it.proxy.trouble = trouble;
      const view = await it.remote.sync();
      assert.equal(view.lastSyncStatus, 'error');
      assert.match(view.lastSyncError ?? '', expected);
      const page = await it.remote.ask('GET', '/remote-artefacts');
      assert.equal(page.status, 502);
      assert.match(((await page.json()) as { detail: string }).detail, expected);
      it.proxy.trouble = undefined;
      assert.equal((await syncWhenIdle(it.remote, 10_000)).lastSyncStatus, 'success');
    });
  }

  for (const [what, expected, falsify] of [
    ['digest', /digest/, (document: Record<string, unknown>) => ({ ...document, digest: `sha256:${'0'.repeat(64)}` })],
    [
      'size',
      /bytes, but the remote registry says/,
      (document: Record<string, unknown>) => ({ ...document, size: 12 }),
    ],
  ] as const) {
    test(`rejects bytes whose ${what} differs from the document`, async () => {
      const id = `false-${what}`;
      await publishFile(it, id, randomBytes(1000));
      const original = (await documentOf(it.upstream, id)) ?? {};
      it.proxy.trouble = ({ url = '' }, response) => {
        if (!url.endsWith(`/artefacts/${id}`) && !url.includes('/artefacts?')) {
          if (!url.includes('/download')) return false;
          // Without validators, which would reveal the difference before the first byte.
          response
            .writeHead(200, {
              'content-type': 'application/octet-stream',
              ...(what === 'size' && { 'content-length': '1000' }),
            })
            .end(randomBytes(1000));
          return true;
        }
        const body = falsify(original);
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(url.includes('?') ? { results: [body], count: 1 } : body));
        return true;
      };
      const result = resultOf(await it.remote.select(id), id);
      assert.equal(result.status, 'failed');
      assert.match(result.reason ?? '', expected);
      assert.equal(await documentOf(it.mirror, id), undefined);
      await it.remote.ask('DELETE', `/selected-artefacts/${id}`);
    });
  }

  test('reports an announced digest that persistently contradicts the document', async () => {
    await publishFile(it, 'contradicting', randomBytes(1000));
    const other = Buffer.alloc(32, 7).toString('base64');
    it.proxy.trouble = ({ url = '' }, response) => {
      if (!url.includes('/artefacts/contradicting/download')) return false;
      response
        .writeHead(200, { 'content-length': '1000', 'repr-digest': `sha-256=:${other}:` })
        .end(randomBytes(1000));
      return true;
    };
    const result = resultOf(await it.remote.select('contradicting'), 'contradicting');
    assert.equal(result.status, 'failed');
    assert.match(
      result.reason ?? '',
      /contradicts itself: its document says sha256:[0-9a-f]{64}, but its bytes are announced as sha256:0707/,
    );
    await it.remote.ask('DELETE', '/selected-artefacts/contradicting');
  });

  test('gives up on bytes that arrive too slowly, even though the connection is never silent', async () => {
    await publishFile(it, 'dripping', randomBytes(1000));
    it.proxy.trouble = ({ url = '' }, response) => {
      if (!url.includes('/artefacts/dripping/download')) return false;
      response.writeHead(200, { 'content-length': '1000' });
      const timer = setInterval(() => {
        response.write('x');
      }, 200);
      response.once('close', () => {
        clearInterval(timer);
      });
      return true;
    };
    const result = resultOf(await it.remote.select('dripping'), 'dripping');
    assert.equal(result.status, 'failed');
    assert.match(result.reason ?? '', /cut short: only \d+ bytes received in 1 s/);
    await it.remote.ask('DELETE', '/selected-artefacts/dripping');
  });

  test('gives up on an original that restarts from the first byte after each interruption', async () => {
    await publishFile(it, 'endless', randomBytes(MIB));
    it.proxy.trouble = (incoming) => {
      delete incoming.headers.range;
      return false;
    };
    it.proxy.cutAfterBytes = MIB / 2;
    const result = resultOf(await it.remote.select('endless'), 'endless');
    assert.equal(result.status, 'failed');
    assert.match(result.reason ?? '', /cut short|cannot be reached/);
    await it.remote.ask('DELETE', '/selected-artefacts/endless');
  });
});
