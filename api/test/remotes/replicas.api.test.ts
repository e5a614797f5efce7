import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startReplicas, type Replicas } from '../replicas/replicas.ts';
import { eventually } from '../support/eventually.ts';
import { readEvents } from '../support/event-stream.ts';
import { query } from '../support/stored-state.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { assertSameBytes, type RemoteView } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

const MIB = 1024 * 1024;

let upstream: TestServer;
let proxy: TroubledProxy;
let replicas: Replicas;
before(async () => {
  upstream = await startTestServer();
  proxy = await startTroubledProxy(upstream.url);
  replicas = await startReplicas({ count: 2, storage: 'fs' });
});
after(async () => {
  await replicas.close();
  await proxy.close();
  await upstream.close();
});

test('a synchronisation whose replica dies is shown as interrupted, and another replica continues it', async () => {
  const [first, second] = replicas.all as [Replicas['all'][number], Replicas['all'][number]];
  const file = randomBytes(24 * MIB);
  assert.equal((await upstream.upload('large', { format: 'file', file, fileName: 'large.bin' })).status, 201);
  await upstream.api('PATCH', '/artefacts/large', { headers: upstream.internal, body: { public: true } });
  const apiKey = await upstream.readKey({ type: 'organization', id: 'mirrors' });
  const session = await first.superadmin();
  const path = `/remote-registries/${encodeURIComponent(proxy.url)}`;
  assert.equal(
    (
      await first.api('POST', '/remote-registries', {
        headers: session,
        body: { url: proxy.url, name: 'original', apiKey, schedule: null },
      })
    ).status,
    201,
  );

  const watch = async (replica: typeof first) => {
    const views: RemoteView[] = [];
    const events = readEvents(await replica.api('GET', `${path}/events`, { headers: session }), ({ data }) => {
      views.push(data as RemoteView);
    });
    return { replica, views, events };
  };
  const watchers = [await watch(first), await watch(second)] as const;
  proxy.stallAfterBytes = 16 * MIB;
  assert.equal(
    (await first.api('POST', `${path}/selected-artefacts`, { headers: session, body: { artefactId: 'large' } }))
      .status,
    201,
  );
  // The replica that got the request starts the run, unless the other one polls at this very moment.
  const holder = await eventually(async () => {
    const [lease] = await query<{ holder: string | null }>(
      second,
      `select holder from leases where name like 'remotes.sync:%'`,
    );
    return (
      watchers.find(({ replica }) => lease?.holder?.includes(`:${replica.pid}:`)) ??
      assert.fail(`${lease?.holder} runs it`)
    );
  });
  const { replica: survivor, views, events } = watchers.find((it) => it !== holder) ?? assert.fail('there are two');
  await eventually(async () => {
    assert.ok((views.at(-1)?.syncProgress?.bytesDone ?? 0) > 8 * MIB);
  });
  assert.equal(views.at(-1)?.syncState, 'running');

  await holder.events.cancel();
  await holder.replica.stop();
  proxy.stallAfterBytes = undefined;
  const passedBefore = proxy.passedBytes;
  // As if the lease had expired and no replica had taken over yet.
  await query(survivor, `update job_runs set due_at = '2100-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
  await query(survivor, `update leases set expires_at = '1970-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
  await eventually(async () => {
    assert.equal(views.at(-1)?.syncState, 'interrupted');
  });
  await query(survivor, `update job_runs set due_at = '1970-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
  await eventually(async () => {
    const view = (await (await survivor.api('GET', path, { headers: session })).json()) as RemoteView;
    assert.deepEqual([view.syncState, view.results[0]?.status, view.lastSyncStatus], ['idle', 'updated', 'success']);
  });
  assert.ok(proxy.passedBytes - passedBefore < 12 * MIB, `${proxy.passedBytes - passedBefore} bytes for the rest`);
  const download = await survivor.api('GET', '/artefacts/large/download', { headers: survivor.internal });
  assertSameBytes(Buffer.from(await download.arrayBuffer()), file);
  await eventually(async () => {
    assert.equal(views.at(-1)?.syncState, 'idle');
  });
  await events.cancel();
});
