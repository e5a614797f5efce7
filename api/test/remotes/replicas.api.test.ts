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

test(
  'a synchronisation whose replica dies is told as interrupted to who watches another one, which goes on ' +
    'where it was',
  async () => {
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
      const seen: RemoteView[] = [];
      const events = readEvents(await replica.api('GET', `${path}/events`, { headers: session }), ({ data }) => {
        seen.push(data as RemoteView);
      });
      return { replica, seen, events };
    };
    const watchers = [await watch(first), await watch(second)] as const;
    proxy.stallAfterBytes = 16 * MIB;
    assert.equal(
      (await first.api('POST', `${path}/selected-artefacts`, { headers: session, body: { artefactId: 'large' } }))
        .status,
      201,
    );
    // The replica that was asked begins at once, unless the other one looks for work at this very moment.
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
    const { replica: staying, seen, events } = watchers.find((it) => it !== holder) ?? assert.fail('there are two');
    await eventually(async () => {
      assert.ok((seen.at(-1)?.syncProgress?.bytesDone ?? 0) > 8 * MIB);
    });
    assert.equal(seen.at(-1)?.syncState, 'running');

    await holder.events.cancel();
    await holder.replica.stop();
    proxy.stallAfterBytes = undefined;
    const passedBefore = proxy.passedBytes;
    // Half a minute goes by, and nobody has taken over yet.
    await query(staying, `update job_runs set due_at = '2100-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
    await query(staying, `update leases set expires_at = '1970-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
    await eventually(async () => {
      assert.equal(seen.at(-1)?.syncState, 'interrupted');
    });
    await query(staying, `update job_runs set due_at = '1970-01-01T00:00:00.000Z' where name like 'remotes.sync:%'`);
    await eventually(async () => {
      const view = (await (await staying.api('GET', path, { headers: session })).json()) as RemoteView;
      assert.deepEqual([view.syncState, view.results[0]?.status, view.lastSyncStatus], ['idle', 'updated', 'success']);
    });
    assert.ok(proxy.passedBytes - passedBefore < 12 * MIB, `${proxy.passedBytes - passedBefore} bytes for the rest`);
    const download = await staying.api('GET', '/artefacts/large/download', { headers: staying.internal });
    assertSameBytes(Buffer.from(await download.arrayBuffer()), file);
    await eventually(async () => {
      assert.equal(seen.at(-1)?.syncState, 'idle');
    });
    await events.cancel();
  },
);
