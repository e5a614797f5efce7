// What a run that is due, in progress, interrupted or put off looks like, and what becomes of requests meanwhile.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { SyncRequest } from '../../src/remotes/remote.ts';
import { eventually } from '../support/eventually.ts';
import { readEvents } from '../support/event-stream.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { startTestServer } from '../support/test-server.ts';
import { addRemote, documentOf, publish, remoteClient, resultOf, type RemoteView } from './pair.ts';
import { describeTroubledMirror, type TroubledMirror } from './troubled-mirror.ts';
import { startTroubledProxy } from './troubled-proxy.ts';

const PAST = '2020-01-01T00:00:00.000Z';
const LATER_PAST = '2020-01-02T00:00:00.000Z';
const FUTURE = '2100-01-01T00:00:00.000Z';
const JOB = `name like 'remotes.sync:%'`;

/** Keeps every replica from beginning a run, as one that is about to begin it does. */
async function holdLease(it: TroubledMirror): Promise<void> {
  await query(
    it.mirror,
    `insert into leases (name, holder, token, expires_at)
     select name, 'test', token + 1, '${FUTURE}' from job_runs where ${JOB}
     on conflict (name) do update set holder = 'test', token = leases.token + 1, expires_at = '${FUTURE}'`,
  );
}

async function releaseLease(it: TroubledMirror): Promise<void> {
  await query(it.mirror, `update leases set holder = null where ${JOB}`);
}

/** Sets columns of the job's row. */
async function setJob(it: TroubledMirror, columns: Record<string, string | null>): Promise<void> {
  const values = Object.entries(columns).map(([name, value]) => `${name} = ${value === null ? 'null' : `'${value}'`}`);
  await query(it.mirror, `update job_runs set ${values.join(', ')} where ${JOB}`);
}

/** Reads the state from every place that shows it. */
async function statesOf(it: TroubledMirror): Promise<RemoteView[]> {
  const headers = await it.mirror.superadmin();
  const list = await it.mirror.api('GET', '/remote-registries', { headers });
  const { results } = (await list.json()) as { results: [RemoteView] };
  const first = Promise.withResolvers<RemoteView>();
  const events = readEvents(await it.mirror.api('GET', `${it.remote.path}/events`, { headers }), ({ data }) => {
    first.resolve(data as RemoteView);
  });
  const event = await first.promise;
  await events.cancel();
  return [await it.remote.get(), results[0], event];
}

async function publishAll(it: TroubledMirror, ...ids: string[]): Promise<void> {
  for (const id of ids) await publish(it.upstream, id, '1.0.0');
}

describeTroubledMirror('whose runs are requested', (it) => {
  for (const [what, job, expected] of [
    ['a run in the future', { due_at: FUTURE, started_at: PAST, ended_at: PAST }, 'idle'],
    ['none scheduled', { due_at: null, started_at: PAST, ended_at: PAST }, 'idle'],
    ['none scheduled, and none before', { due_at: null, started_at: null, ended_at: null }, 'idle'],
    ['a first run that is due', { due_at: PAST, started_at: null, ended_at: null }, 'running'],
    ['a run that is due', { due_at: PAST, started_at: PAST, ended_at: PAST }, 'running'],
    ['a run that became due during the last one', { due_at: LATER_PAST, started_at: PAST, ended_at: PAST }, 'running'],
    ['a run whose process died', { due_at: PAST, started_at: PAST, ended_at: null }, 'interrupted'],
    ['a request during a run whose process died', { due_at: LATER_PAST, started_at: PAST, ended_at: null }, 'running'],
    [
      'a run whose process died, and another one later',
      { due_at: FUTURE, started_at: PAST, ended_at: null },
      'interrupted',
    ],
  ] as const) {
    test(`a registry with ${what} is ${expected}, wherever it is shown`, async () => {
      await holdLease(it);
      await setJob(it, { ...job, progress: '{"startedAt":"2020-01-01T00:00:00.000Z","done":2,"total":3}' });
      for (const view of await statesOf(it)) {
        assert.equal(view.syncState, expected);
        assert.equal(view.nextSyncAt, expected === 'idle' ? (job.due_at ?? undefined) : undefined);
        assert.equal(view.syncProgress?.done, expected === 'running' ? undefined : 2);
      }
      await setJob(it, { due_at: null, started_at: PAST, ended_at: PAST, progress: null });
      await releaseLease(it);
    });
  }

  for (const [what, ended] of [
    ['due', PAST],
    ['interrupted', null],
  ] as const) {
    test(`a change of the schedule does not put off a run that is ${what}`, async () => {
      for (const schedule of ['0 3 1 1 *', null]) {
        await holdLease(it);
        await setJob(it, { due_at: PAST, started_at: PAST, ended_at: ended });
        const response = await it.remote.ask('PATCH', '', { schedule });
        assert.equal(((await response.json()) as RemoteView).syncState, ended ? 'running' : 'interrupted');
        const [row] = await query<{ due_at: string }>(it.mirror, `select due_at from job_runs where ${JOB}`);
        assert.equal(row?.due_at, PAST);
        await releaseLease(it);
        await it.remote.settled();
      }
    });
  }

  test('a registry that is parked is idle, also when a run is due or an artefact is selected', async () => {
    await query(it.mirror, `update remote_registries set last_sync_error_code = 'sync_parked'`);
    const response = await it.remote.ask('POST', '/selected-artefacts', { artefactId: 'parked@1' });
    assert.equal(response.status, 201);
    assert.equal(((await response.json()) as RemoteView).syncState, 'idle');
    await holdLease(it);
    await setJob(it, { due_at: PAST });
    for (const view of await statesOf(it)) assert.equal(view.syncState, 'idle');
    await releaseLease(it);
    await publishAll(it, 'parked@1');
    assert.equal(resultOf(await it.remote.sync(), 'parked@1').status, 'updated');
  });

  const flags: SyncRequest[] = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
    ...(bits & 1 && { onlyFailed: true }),
    ...(bits & 2 && { verify: true }),
    ...(bits & 4 && { confirmed: true }),
  }));
  const queryOf = ({ onlyFailed, verify, confirmed }: SyncRequest) =>
    new URLSearchParams({
      ...(onlyFailed && { only: 'failed' }),
      ...(verify && { verify: 'true' }),
      ...(confirmed && { confirm: 'true' }),
    }).toString();

  test('requests for a run that has not begun are merged into it', async () => {
    for (const [first, second] of flags.flatMap((one) => flags.map((other) => [one, other] as const))) {
      await holdLease(it);
      for (const request of [first, second]) {
        const response = await it.remote.ask('POST', `/sync?${queryOf(request)}`);
        assert.equal(response.status, 202);
        assert.equal(((await response.json()) as RemoteView).syncState, 'running');
      }
      const [row] = await query<{ requested: string }>(it.mirror, 'select requested from remote_registries');
      assert.deepEqual(JSON.parse(row?.requested ?? ''), {
        ...(first.onlyFailed && second.onlyFailed && { onlyFailed: true }),
        ...((first.verify || second.verify) && { verify: true }),
        ...((first.confirmed || second.confirmed) && { confirmed: true }),
      });
      await query(it.mirror, 'update remote_registries set requested = null');
    }
    await setJob(it, { due_at: null });
    await releaseLease(it);
  });

  test('a request is refused once a run has begun; a selection makes another run due', async () => {
    await publishAll(it, 'begun@1', 'queued@1');
    const listing = Promise.withResolvers<() => void>();
    it.proxy.trouble = async ({ url = '' }) => {
      if (!url.endsWith('/artefacts/begun%401')) return false;
      const resume = Promise.withResolvers<undefined>();
      listing.resolve(() => {
        resume.resolve(undefined);
      });
      await resume.promise;
      return false;
    };
    await it.remote.ask('POST', '/selected-artefacts', { artefactId: 'begun@1' });
    const resume = await listing.promise;
    await readProblem(await it.remote.ask('POST', '/sync'), 409, 'sync_running');
    assert.equal((await it.remote.ask('POST', '/selected-artefacts', { artefactId: 'queued@1' })).status, 201);
    // The form of the registry saves its schedule as well.
    assert.equal((await it.remote.ask('PATCH', '', { schedule: null })).status, 200);
    resume();
    const view = await it.remote.settled();
    assert.deepEqual(
      ['begun@1', 'queued@1'].map((id) => resultOf(view, id).status),
      ['updated', 'updated'],
    );
  });

  test('a selection during a run that fails is mirrored at once, not at the retry', async () => {
    await publishAll(it, 'failing@1', 'meanwhile@1');
    const asked = Promise.withResolvers<() => void>();
    let failures = 0;
    it.proxy.trouble = async ({ url = '' }, response) => {
      if (!url.includes('failing') || failures++ > 0) return false;
      const resume = Promise.withResolvers<undefined>();
      asked.resolve(() => {
        resume.resolve(undefined);
      });
      await resume.promise;
      response.writeHead(500).end();
      return true;
    };
    // Such a job is retried after an hour.
    await setJob(it, { failures: '20' });
    await it.remote.ask('POST', '/selected-artefacts', { artefactId: 'failing@1' });
    const fail = await asked.promise;
    assert.equal((await it.remote.ask('POST', '/selected-artefacts', { artefactId: 'meanwhile@1' })).status, 201);
    fail();
    const view = await it.remote.settled();
    assert.deepEqual([resultOf(view, 'meanwhile@1').status, view.lastSyncStatus], ['updated', 'success']);
  });

  test('a request that a run did not see is not lost', async () => {
    await publishAll(it, 'seen@1');
    await it.remote.select('seen@1');
    await publish(it.upstream, 'seen@1', '1.0.1');
    // As an import leaves it, which runs in place of the run that was requested.
    await query(it.mirror, `update remote_registries set requested = '{}'`);
    assert.equal((await it.remote.ask('PATCH', '', { schedule: '0 3 1 1 *' })).status, 200);
    await it.remote.settled();
    assert.equal((await documentOf(it.mirror, 'seen@1'))?.['version'], '1.0.1');
  });
});

describe('a run that is interrupted by a shutdown', () => {
  test('is never shown as idle before the next start has completed it', async (t) => {
    const upstream = await startTestServer();
    t.after(() => upstream.close());
    const proxy = await startTroubledProxy(upstream.url);
    t.after(() => proxy.close());
    const key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
    await publish(upstream, 'interrupted@1', '1.0.0');
    const dataDir = await mkdtemp(join(tmpdir(), 'berth-interrupted-'));
    t.after(() => rm(dataDir, { recursive: true, force: true }));
    const first = await startTestServer({ dataDir });
    const remote = await addRemote(first, proxy.url, key);
    const asked = Promise.withResolvers<undefined>();
    proxy.trouble = ({ url = '' }) => {
      if (url.includes('interrupted')) asked.resolve(undefined);
      return url.includes('interrupted');
    };
    await remote.ask('POST', '/selected-artefacts', { artefactId: 'interrupted@1' });
    await asked.promise;
    await first.close();
    proxy.trouble = undefined;
    const second = await startTestServer({ dataDir });
    t.after(() => second.close());
    const states = new Set<string>();
    const view = await eventually(async () => {
      const now = await remoteClient(second, proxy.url).get();
      states.add(now.syncState);
      assert.equal(now.syncState, 'idle');
      return now;
    });
    assert.equal(resultOf(view, 'interrupted@1').status, 'updated');
    assert.ok(states.has('interrupted'), [...states].join());
  });
});
