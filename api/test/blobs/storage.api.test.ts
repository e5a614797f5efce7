import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { ScrubResult, SweepResult } from '../../index.ts';
import { digestOf } from '../support/digests.ts';
import { readEvents, type StreamedEvent } from '../support/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

interface JobDocument {
  running: boolean;
  outcome?: string;
  startedAt?: string;
  endedAt?: string;
  dueAt?: string;
  progress?: object;
  result?: Record<string, unknown>;
}
interface StorageDocument {
  blobs: number;
  storedBytes: number;
  sharedBytes: number;
  unsoundBlobs: number;
  graceHours: number;
  sweep: JobDocument;
  scrub: JobDocument;
}

const BYTES = randomBytes(2_000);

for (const dialect of DIALECTS) {
  describe(`the storage of a server on ${dialect}`, () => {
    let server: TestServer;
    let headers: Record<string, string>;

    before(async () => {
      server = await startTestServer({ dialect, storage: 'fs', env: { GC_GRACE_HOURS: '0', SCRUB_EVERY_DAYS: '7' } });
      headers = await server.superadmin();
    });
    after(() => server.close());

    const overview = async () => (await (await server.api('GET', '/storage', { headers })).json()) as StorageDocument;
    const publish = async (id: string, bytes: Uint8Array) => {
      assert.equal((await server.upload(id, { format: 'file', file: bytes, fileName: 'it.bin' })).status, 201);
      return digestOf(bytes);
    };
    const remove = async (id: string) => {
      assert.equal((await server.api('DELETE', `/artefacts/${id}`, { headers })).status, 204);
    };
    const post = (job: 'sweep' | 'scrub', body?: object) => server.api('POST', `/storage/${job}`, { headers, body });
    /** Runs a job and waits for its end. */
    const run = async (job: 'sweep' | 'scrub') => {
      // Read before the request: by its response a short run may have ended.
      const { endedAt } = (await overview())[job];
      const response = await post(job);
      assert.equal(response.status, 202, await response.text());
      return eventually(async () => {
        const state = (await overview())[job];
        assert.ok(!state.running && state.endedAt !== undefined && state.endedAt !== endedAt);
        assert.equal(state.outcome, 'succeeded');
        return state.result ?? {};
      });
    };
    const pathOf = async (digest: string) => {
      const [row] = await query<{ storage_key: string }>(
        server,
        `select storage_key from blobs where digest = '${digest}'`,
      );
      return join(server.dataDir, 'blobs', row!.storage_key);
    };
    const download = (id: string) =>
      fetch(`${server.url}/api/v1/artefacts/${id}/download`, { headers: server.internal });

    test('reports what it holds, and what deduplication saves', async () => {
      const before = await overview();
      for (const id of ['shared-1', 'shared-2', 'shared-3']) await publish(id, BYTES);
      const { blobs, storedBytes, sharedBytes, graceHours } = await overview();
      assert.deepEqual(
        [blobs - before.blobs, storedBytes - before.storedBytes, sharedBytes - before.sharedBytes, graceHours],
        [1, BYTES.length, 2 * BYTES.length, 0],
      );
    });

    test('schedules a sweep within the hour, and a scrub by SCRUB_EVERY_DAYS', async () => {
      const inMs = Date.parse((await overview()).sweep.dueAt ?? '') - Date.now();
      assert.ok(inMs > 0.8 * 3_600_000 && inMs < 1.2 * 3_600_000, String(inMs));
      const inDays = (Date.parse((await overview()).scrub.dueAt ?? '') - Date.now()) / 86_400_000;
      assert.ok(inDays > 6 && inDays < 8, String(inDays));
    });

    test('is swept on demand, with the result that a dry run predicts', async () => {
      const digest = await publish('short-lived', randomBytes(500));
      await remove('short-lived');
      const response = await post('sweep', { dryRun: true });
      assert.equal(response.status, 200);
      const preview = (await response.json()) as Record<string, unknown>;
      assert.deepEqual(
        [preview['dryRun'], preview['removedBlobs'], preview['freedBytes'], preview['digests']],
        [true, 1, 500, [digest]],
      );
      const path = await pathOf(digest);
      const result = await run('sweep');
      assert.deepEqual(
        [result['dryRun'], result['removedBlobs'], result['freedBytes'], result['digests']],
        [false, 1, 500, undefined],
      );
      await assert.rejects(truncate(path), { code: 'ENOENT' });
      assert.equal((await download('shared-1')).status, 200);
    });

    for (const [how, reason, corrupt] of [
      ['is truncated', 'size', (path: string) => truncate(path, 100)],
      ['contains other bytes', 'digest', (path: string) => writeFile(path, 'other', { flag: 'r+' })],
      ['is missing', 'gone', (path: string) => rm(path)],
    ] as const) {
      test(`a blob whose file ${how} is found by a scrub, not served, and repaired by an upload`, async () => {
        const bytes = randomBytes(3_000_000);
        const digest = await publish('corrupted', bytes);
        await corrupt(await pathOf(digest));
        const { damaged, missing } = (await run('scrub')) as { damaged: object[]; missing: object[] };
        assert.deepEqual(
          [...damaged, ...missing],
          [{ digest, reason, artefacts: [{ id: 'corrupted', architecture: '' }] }],
        );
        assert.equal((await overview()).unsoundBlobs, 1);
        await readProblem(await download('corrupted'), 500, 'blob_missing');

        await publish('repairing', bytes);
        const repaired = await download('corrupted');
        assert.equal(repaired.status, 200);
        assert.equal(digestOf(new Uint8Array(await repaired.arrayBuffer())), digest);
        assert.deepEqual([(await overview()).unsoundBlobs, (await run('scrub'))['damagedBlobs']], [0, 0]);
        await remove('corrupted');
        await remove('repairing');
      });
    }

    test('a download of a truncated file that no scrub has found fails instead of ending early', async () => {
      const bytes = randomBytes(3_000_000);
      const path = await pathOf(await publish('cut', bytes));
      await truncate(path, 1_000_000);
      await assert.rejects(async () => {
        await (await download('cut')).arrayBuffer();
      });
      await publish('cut', bytes);
      assert.equal((await (await download('cut')).arrayBuffer()).byteLength, bytes.length);
    });

    test('streams the state of sweep and scrub as events', async () => {
      const events: StreamedEvent[] = [];
      const response = await server.api('GET', '/storage/events', { headers });
      assert.equal(response.headers.get('content-type'), 'text/event-stream');
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const stream = readEvents(response, (event) => events.push(event));
      await eventually(async () => {
        assert.deepEqual([...new Set(events.map(({ event }) => event))].sort(), ['scrub', 'sweep']);
      });
      const before = events.length;
      const { endedAt } = (await overview()).scrub;
      await post('scrub');
      await eventually(async () => {
        const last = events
          .slice(before)
          .filter(({ event }) => event === 'scrub')
          .at(-1)?.data as JobDocument | undefined;
        assert.ok(last && !last.running && last.endedAt !== undefined && last.endedAt !== endedAt);
      });
      await stream.cancel();
    });

    test('refuses to start a job whose lease is held by another replica', async () => {
      await query(
        server,
        `insert into leases (name, holder, token, expires_at)
        values ('storage.scrub', 'another replica', 5, '2999-01-01T00:00:00.000Z')
        on conflict (name) do update
        set holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at`,
      );
      await readProblem(await post('scrub'), 409, 'job_running');
      assert.deepEqual(await inOtherProcess('scrub'), { code: 'job_running' });
      await query(server, `update leases set holder = null where name = 'storage.scrub'`);
      await run('scrub');
    });

    test('records in the audit log who started a job', async () => {
      await run('sweep');
      const lines = await query<{ actor_kind: string; target_type: string; target_id: string }>(
        server,
        `select actor_kind, target_type, target_id from audit_events where action = 'storage.sweep' order by at desc`,
      );
      assert.deepEqual(lines[0], { actor_kind: 'user', target_type: 'storage', target_id: 'sweep' });
    });

    test('can be swept and scrubbed by another process, whose results the server shows', async () => {
      const digest = await publish('short-lived', randomBytes(700));
      await remove('short-lived');
      const preview = (await inOtherProcess<SweepResult>('dry-run')).result;
      assert.deepEqual([preview?.removedBlobs, preview?.digests], [1, [digest]]);
      const swept = (await inOtherProcess<SweepResult>('sweep')).result;
      assert.deepEqual([swept?.removedBlobs, swept?.freedBytes], [1, 700]);
      assert.deepEqual((await overview()).sweep.result, swept);

      const corrupted = await publish('corrupted', randomBytes(900));
      await rm(await pathOf(corrupted));
      const { result: scrubbed, reported } = await inOtherProcess<ScrubResult>('scrub');
      assert.deepEqual(scrubbed?.missing, [
        { digest: corrupted, reason: 'gone', artefacts: [{ id: 'corrupted', architecture: '' }] },
      ]);
      assert.equal(reported?.at(-1), scrubbed?.checkedBlobs);
      assert.deepEqual((await overview()).scrub.result, scrubbed);
    });

    async function inOtherProcess<Result>(
      work: 'sweep' | 'dry-run' | 'scrub',
    ): Promise<{ result?: Result; reported?: number[]; code?: string }> {
      const { DATA_DIR, DATABASE_URL } = server.server.config;
      const env = {
        PATH: process.env.PATH,
        DATA_DIR,
        GC_GRACE_HOURS: '0',
        ...(DATABASE_URL !== undefined && { DATABASE_URL }),
      };
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(import.meta.dirname, 'upkeep-child.ts'), work],
        { env },
      );
      return JSON.parse(stdout) as { result?: Result; reported?: number[]; code?: string };
    }
  });
}

test('a server that stops ends its event streams without waiting for their readers', async () => {
  const server = await startTestServer();
  const response = await server.api('GET', '/storage/events', { headers: await server.superadmin() });
  const stream = readEvents(response, () => undefined);
  await server.close();
  await stream.ended;
});

test('events of a job that runs on one replica reach clients of another', async (t) => {
  const one = await startTestServer({ dialect: 'postgres' });
  const secrets = Object.fromEntries(
    ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'].map((name) => [
      name,
      one.server.config[name as 'AUTH_SECRET'] ?? '',
    ]),
  );
  const other = await startTestServer({
    dialect: 'postgres',
    dataDir: one.dataDir,
    env: { ...secrets, DATABASE_URL: one.server.config.DATABASE_URL ?? '' },
  });
  t.after(async () => {
    await other.close();
    await one.close();
  });
  const ended: unknown[] = [];
  const response = await other.api('GET', '/storage/events', { headers: await other.superadmin() });
  const stream = readEvents(response, ({ event, data }) => {
    if (event === 'scrub' && (data as JobDocument).outcome === 'succeeded') ended.push(data);
  });
  assert.equal((await one.api('POST', '/storage/scrub', { headers: await one.superadmin() })).status, 202);
  await eventually(async () => {
    assert.ok(ended.length > 0);
  });
  await stream.cancel();
});
