import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { query } from '../support/stored-state.ts';
import { assertSameBytes, bytesOf, documentOf, publish, resultOf } from './pair.ts';
import { describeTroubledMirror, publishFile } from './troubled-mirror.ts';
import { startTroubledProxy } from './troubled-proxy.ts';

const MIB = 1024 * 1024;

describeTroubledMirror('whose original or network fails', (it) => {
  test('resumes after an interruption, and fetches hardly anything twice', async () => {
    const file = randomBytes(24 * MIB);
    await publishFile(it, 'cut', file);
    it.proxy.cutAfterBytes = 9 * MIB;
    const view = await it.remote.select('cut');
    assert.deepEqual([resultOf(view, 'cut').status, view.lastSyncStatus], ['updated', 'success']);
    assertSameBytes(await bytesOf(it.mirror, 'cut'), file);
    assert.ok(it.proxy.passedBytes < file.length * 1.05, `${it.proxy.passedBytes} bytes for ${file.length}`);
    const ranges = it.proxy.requests
      .filter(({ headers }) => headers.range !== undefined)
      .map(({ headers }) => [headers.range, headers['if-range'] !== undefined]);
    assert.equal(ranges.length, 2);
    assert.ok(ranges.every(([, hasCondition]) => hasCondition));
  });

  test('shows no details of an internal error, and logs them', async () => {
    await publish(it.upstream, 'internal@1', '1.0.0');
    await query(it.mirror, 'alter table tarball_scans rename to tarball_scans_away');
    const view = await it.remote.select('internal@1');
    await query(it.mirror, 'alter table tarball_scans_away rename to tarball_scans');
    const { status, reason } = resultOf(view, 'internal@1');
    assert.deepEqual([status, reason], ['failed', 'Internal error: see the log of this registry.']);
    assert.ok(
      it.mirror.logs.some((line) => line.includes('background work failed') && line.includes('tarball_scans')),
    );
    assert.equal(resultOf(await it.remote.sync('?only=failed'), 'internal@1').status, 'updated');
  });

  test('records a failure with its reason, mirrors the other artefacts, and resumes at the retry', async () => {
    const file = randomBytes(12 * MIB);
    await publishFile(it, 'later', file);
    await publish(it.upstream, 'healthy@1', '1.0.0');
    let served = 0;
    it.proxy.trouble = ({ url = '' }, response) => {
      if (!url.includes('/artefacts/later/download') || served++ < 1) return false;
      response.destroy();
      return true;
    };
    it.proxy.cutAfterBytes = 8 * MIB;
    const view = await it.remote.select('later', 'healthy@1');
    const failed = resultOf(view, 'later');
    assert.deepEqual(
      [failed.status, failed.attempts, resultOf(view, 'healthy@1').status, view.lastSyncStatus],
      ['failed', 1, 'updated', 'error'],
    );
    assert.match(failed.reason ?? '', /cannot be reached|cut short/);
    assert.ok((failed.nextTryAt ?? '') > new Date().toISOString());
    assert.match(view.lastSyncError ?? '', /^later: The registry at .* cannot be reached/);
    assert.equal(view.lastSyncErrorCode, 'artefacts_failed');
    assert.equal(await documentOf(it.mirror, 'later'), undefined);

    it.proxy.trouble = undefined;
    it.proxy.passedBytes = 0;
    const retried = await it.remote.sync('?only=failed');
    assert.deepEqual([resultOf(retried, 'later').status, retried.lastSyncStatus], ['updated', 'success']);
    assert.ok(it.proxy.passedBytes < 5 * MIB, `${it.proxy.passedBytes} bytes fetched for the last 4 MiB`);
    assertSameBytes(await bytesOf(it.mirror, 'later'), file);
  });

  test('restarts a download when the bytes have changed, and never mixes old and new ones', async () => {
    const [first, second] = [randomBytes(10 * MIB), randomBytes(10 * MIB)];
    await publishFile(it, 'moving', first);
    let served = 0;
    let publishing: Promise<void> | undefined;
    it.proxy.trouble = async ({ url = '' }) => {
      if (!url.includes('/artefacts/moving/download')) return false;
      if (served++ === 0) return false;
      it.proxy.cutAfterBytes = undefined;
      // A request that is retried after a timeout must not get the first bytes either.
      await (publishing ??= publishFile(it, 'moving', second));
      return false;
    };
    it.proxy.cutAfterBytes = 6 * MIB;
    const view = await it.remote.select('moving');
    assert.equal(resultOf(view, 'moving').status, 'updated');
    assertSameBytes(await bytesOf(it.mirror, 'moving'), second);
  });

  test('changes nothing when the list has shrunk by more than half, until a superadmin confirms it', async () => {
    for (const name of ['s1', 's2', 's3']) await publish(it.upstream, `${name}@1`, '1.0.0');
    await it.remote.select('s1@1', 's2@1', 's3@1');
    await it.remote.sync();
    it.proxy.trouble = ({ url = '' }, response) => {
      if (url.includes('/artefacts?'))
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[],"count":0}');
      else if (/artefacts\/s\d/.test(url))
        response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{}');
      else return false;
      return true;
    };
    const withheld = await it.remote.sync();
    assert.equal(withheld.lastSyncStatus, 'error');
    assert.match(withheld.lastSyncError ?? '', /confirm=true/);
    assert.equal(withheld.lastSyncErrorCode, 'too_many_removed');
    assert.notEqual(resultOf(withheld, 's1@1').status, 'gone');
    const confirmed = await it.remote.sync('?confirm=true');
    assert.deepEqual([confirmed.lastSyncStatus, resultOf(confirmed, 's1@1').status], ['success', 'gone']);
    assert.notEqual(await documentOf(it.mirror, 's1@1'), undefined);
  });

  test('never sends its key to another origin that it is redirected to', async () => {
    const storage = await startTroubledProxy(it.upstream.url);
    try {
      const file = randomBytes(6 * MIB);
      await publishFile(it, 'elsewhere', file);
      const key = await it.upstream.readKey({ type: 'organization', id: 'mirrors' });
      storage.trouble = (incoming) => {
        incoming.headers['x-api-key'] = key;
        return false;
      };
      storage.cutAfterBytes = 4 * MIB;
      const { digest } = (await documentOf(it.upstream, 'elsewhere')) as { digest: string };
      it.proxy.trouble = ({ url = '' }, response) => {
        if (!url.includes('/artefacts/elsewhere/download')) return false;
        response
          .writeHead(302, {
            'location': `${storage.url}${url}`,
            'etag': `"${digest}"`,
            'repr-digest': `sha-256=:${Buffer.from(digest.replace('sha256:', ''), 'hex').toString('base64')}:`,
          })
          .end();
        return true;
      };
      assert.equal(resultOf(await it.remote.select('elsewhere'), 'elsewhere').status, 'updated');
      assertSameBytes(await bytesOf(it.mirror, 'elsewhere'), file);
      assert.equal(storage.requests.length, 2);
      assert.deepEqual(
        storage.requests.map(({ headers }) => headers['if-range']),
        [undefined, undefined],
      );
      assert.ok(it.proxy.requests.every(({ headers }) => headers['x-api-key'] !== undefined));
      assert.deepEqual(
        storage.requests.map(({ headers }) => headers['x-api-key']),
        [undefined, undefined],
      );
    } finally {
      await storage.close();
    }
  });

  test('does not mirror back artefacts that originate from it', async () => {
    await publish(it.mirror, 'ours@1', '1.0.0');
    it.proxy.trouble = ({ url = '' }, response) => {
      if (!url.includes('/artefacts?')) return false;
      const body = {
        _id: 'back@1',
        format: 'npm',
        category: 'other',
        origin: it.mirror.server.config.PUBLIC_URL,
        dataUpdatedAt: '2026-01-01T00:00:00.000Z',
        tarballs: {},
      };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ results: [body, { ...body, _id: 'ours@1' }], count: 2 }));
      return true;
    };
    assert.equal((await it.remote.ask('PATCH', '', { selectedPatterns: ['*'] })).status, 200);
    const view = await it.remote.sync('?confirm=true');
    assert.deepEqual([resultOf(view, 'back@1').status, resultOf(view, 'ours@1').status], ['skipped', 'skipped']);
    assert.match(resultOf(view, 'back@1').reason ?? '', /from this one/);
  });
});
