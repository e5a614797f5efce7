import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { databaseUrl } from '../../src/config/index.ts';
import { createDatabase } from '../../src/db/index.ts';
import { eventually } from '../support/eventually.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, assertSameBytes, bytesOf, documentOf, resultOf, share, type RemoteClient } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

/** Worker threads of this process that are started from now on. */
function workersFromNow(): Worker[] {
  const workers: Worker[] = [];
  process.on('worker', (worker) => workers.push(worker));
  return workers;
}

const MIB = 1024 * 1024;
const FILE = randomBytes(12 * MIB);

let upstream: TestServer;
let mirror: TestServer;
let proxy: TroubledProxy;
let remote: RemoteClient;
let key: string;
before(async () => {
  upstream = await startTestServer();
  mirror = await startTestServer();
  proxy = await startTroubledProxy(upstream.url);
  key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
  remote = await addRemote(mirror, proxy.url, key);
  for (const id of ['first', 'second']) {
    assert.equal(
      (
        await upstream.upload(id, {
          format: 'file',
          file: FILE.subarray(0, id === 'first' ? MIB : undefined),
          fileName: 'data.bin',
        })
      ).status,
      201,
    );
    await share(upstream, id);
  }
});
after(async () => {
  await Promise.all([mirror.close(), proxy.close(), upstream.close()]);
});

test(
  'a crash of the worker thread fails the artefact without mirroring it, and the next run resumes the ' +
    'download in a new thread',
  async () => {
    const started = workersFromNow();
    assert.equal(resultOf(await remote.select('first'), 'first').status, 'updated');
    proxy.stallAfterBytes = 8 * MIB;
    const selecting = remote.select('second');
    await eventually(async () => {
      assert.ok(((await remote.get()).syncProgress?.bytesDone ?? 0) >= 4 * MIB);
    });
    // The first one reads documents.
    assert.equal(started.length, 2);
    await started[1]!.terminate();
    const { status, reason } = resultOf(await selecting, 'second');
    assert.deepEqual([status, reason], ['failed', 'The worker thread has ended.']);
    assert.equal(await documentOf(mirror, 'second'), undefined);

    proxy.stallAfterBytes = undefined;
    proxy.passedBytes = 0;
    assert.equal(resultOf(await remote.sync('?only=failed'), 'second').status, 'updated');
    assertSameBytes(await bytesOf(mirror, 'second'), FILE);
    assert.ok(proxy.passedBytes < FILE.length, 'bytes written before the crash were not fetched again');
  },
);

test('many small artefacts are each downloaded once, over keep-alive connections', async () => {
  const other = await startTestServer();
  try {
    const ids = Array.from({ length: 40 }, (_unused, index) => `small-${index}`);
    for (const id of ids) {
      const file = FILE.subarray(0, 50_000 + ids.indexOf(id));
      assert.equal((await upstream.upload(id, { format: 'file', file, fileName: 'data.bin' })).status, 201);
      await share(upstream, id);
    }
    proxy.stallAfterBytes = undefined;
    proxy.requests = [];
    proxy.connections = 0;
    const view = await (await addRemote(other, proxy.url, key, { selectedPatterns: ['small-*'] })).sync();
    assert.equal(view.lastSyncStatus, 'success', view.lastSyncError);
    for (const id of ids) assertSameBytes(await bytesOf(other, id), FILE.subarray(0, 50_000 + ids.indexOf(id)));
    const downloads = proxy.requests.map(({ path }) => path).filter((path) => !/\/artefacts\?/.test(path));
    assert.deepEqual(downloads.sort(), ids.map((id) => `/api/v1/artefacts/${id}/download`).sort());
    // Eight for the downloads of the worker, one for the list.
    assert.ok(proxy.connections <= 9, String(proxy.connections));
  } finally {
    await other.close();
  }
});

test('closing the server suspends the downloads of the worker thread, then ends it', async () => {
  const started = workersFromNow();
  const other = await startTestServer();
  const otherRemote = await addRemote(other, proxy.url, key, { selectedPatterns: ['second'] });
  proxy.stallAfterBytes = 2 * MIB;
  await otherRemote.ask('POST', '/sync');
  await eventually(async () => {
    assert.ok(((await otherRemote.get()).syncProgress?.bytesDone ?? 0) > 0);
  });
  const ended = Promise.all(started.map((worker) => once(worker, 'exit')));
  await other.server.close();
  await ended;
  const database = createDatabase({ url: databaseUrl(other.server.config) });
  const writers = await database.db.selectFrom('blob_writers').select('heartbeat_at').execute();
  await database.close();
  await other.close();
  assert.equal(writers.length, 1);
  assert.ok(Date.parse(writers[0]!.heartbeat_at) > Date.now() + 6 * 24 * 3_600_000, 'kept for the next run');
});
