import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { backup } from '../index.ts';
import { follow } from './events/event-readers.ts';
import { eventually } from './support/eventually.ts';
import { freePort } from './support/free-port.ts';
import { DIALECTS, envOf, startTestServer, type TestServer } from './support/test-server.ts';

for (const dialect of DIALECTS)
  describe(`the metrics of an instance on ${dialect}`, () => {
    let server: TestServer;
    let remote: string;
    let copy: string;
    before(async () => {
      copy = await mkdtemp(join(tmpdir(), 'berth-metrics-'));
      remote = `http://127.0.0.1:${await freePort()}`;
      server = await startTestServer({ dialect, storage: 'fs', signIn: 'local' });
      for (const id of ['one', 'two'])
        assert.equal((await server.upload(id, { format: 'file', file: Buffer.from(id.repeat(100)) })).status, 201);
      const headers = await server.superadmin();
      const created = await server.api('POST', '/remote-registries', {
        headers,
        body: { url: remote, name: 'Elsewhere', apiKey: 'reg_key', schedule: null, selectedPatterns: ['@acme/*'] },
      });
      assert.equal(created.status, 201, await created.text());
      await backup(envOf(server), copy);
      const blobs = join(server.dataDir, 'blobs');
      const [file] = (await readdir(blobs, { recursive: true, withFileTypes: true })).filter((it) => it.isFile());
      await truncate(join(file!.parentPath, file!.name), 1);
      for (const path of ['/storage/scrub', `/remote-registries/${encodeURIComponent(remote)}/sync`])
        assert.equal((await server.api('POST', path, { headers })).status, 202, path);
      await eventually(async () => {
        const response = await server.api('GET', `/remote-registries/${encodeURIComponent(remote)}`, { headers });
        assert.equal(((await response.json()) as { lastSyncStatus?: string }).lastSyncStatus, 'error');
      });
      await eventually(async () => {
        const response = await server.api('GET', '/storage', { headers });
        assert.equal(((await response.json()) as { unsoundBlobs: number }).unsoundBlobs, 1);
      });
    });
    after(async () => {
      await server.close();
      await rm(copy, { recursive: true, force: true });
    });

    test('say what it contains, and how its jobs and mirrors are', async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const value = (series: string) => {
        const line = text.split('\n').find((it) => it.startsWith(`${series} `));
        return line === undefined ? undefined : Number(line.split(' ').at(-1));
      };
      const isRecent = (series: string) => {
        const ageSeconds = Date.now() / 1000 - (value(series) ?? 0);
        assert.ok(ageSeconds > -60 && ageSeconds < 600, series);
      };
      const label = `remote="${remote}"`;
      const expected: Record<string, number | undefined> = {
        'berth_ready': 1,
        'berth_database_up': 1,
        'berth_storage_up': 1,
        'berth_artefacts': 2,
        'berth_slots': 2,
        'berth_blobs': 2,
        'berth_blob_bytes': 600,
        'berth_unsound_blobs': 1,
        'berth_resumable_uploads': 0,
        'berth_http_requests_in_progress': 1,
        'berth_http_uploads_in_progress': 0,
        'berth_event_streams': 0,
        'berth_job_failures{name="backup.write"}': 0,
        'berth_job_running{name="backup.write"}': 0,
        'berth_job_failures{name="storage.scrub"}': 0,
        'berth_job_failures{name="storage.sweep"}': 0,
        'berth_job_last_success_timestamp_seconds{name="storage.sweep"}': undefined,
        [`berth_remote_failed{${label}}`]: 1,
        [`berth_remote_parked{${label}}`]: 0,
        [`berth_remote_last_success_timestamp_seconds{${label}}`]: undefined,
        [`berth_remote_due_timestamp_seconds{${label}}`]: undefined,
        [`berth_remote_artefacts{${label},status="failed"}`]: 0,
        'berth_database_pool_max_connections': dialect === 'postgres' ? 20 : undefined,
        'berth_database_pool_waiting': dialect === 'postgres' ? 0 : undefined,
      };
      const found = Object.keys(expected).map((series) => [series, value(series)]);
      assert.deepEqual(Object.fromEntries(found), expected);
      assert.match(text, /^berth_build_info\{version="\d+\.\d+\.\d+[^"]*",commit=""\} 1$/m);
      for (const name of ['backup.write', 'storage.scrub']) {
        isRecent(`berth_job_last_end_timestamp_seconds{name="${name}"}`);
        isRecent(`berth_job_last_success_timestamp_seconds{name="${name}"}`);
        assert.ok((value(`berth_job_last_duration_seconds{name="${name}"}`) ?? -1) >= 0);
      }
      isRecent(`berth_remote_last_sync_timestamp_seconds{${label}}`);
      assert.ok((value('berth_data_dir_free_bytes') ?? 0) < (value('berth_data_dir_size_bytes') ?? 0));
      assert.ok((value('berth_job_due_timestamp_seconds{name="storage.sweep"}') ?? 0) > Date.now() / 1000);
    });

    test('count the open streams of events', async () => {
      const open = async () => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        return Number(/^berth_event_streams (\d+)$/m.exec(text)?.[1]);
      };
      const streams = await Promise.all([follow(server, server.internal), follow(server, server.internal)]);
      await eventually(async () => {
        assert.equal(await open(), 2);
      });
      for (const [index, stream] of streams.entries()) {
        await stream.close();
        await eventually(async () => {
          assert.equal(await open(), 1 - index);
        });
      }
    });

    test('a failed backup counts as a failure', async () => {
      await assert.rejects(backup(envOf(server), join(copy, 'manifest.json', 'below-a-file')));
      await eventually(async () => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        assert.match(text, /^berth_job_failures\{name="backup\.write"\} 1$/m);
        assert.match(text, /^berth_job_last_success_timestamp_seconds\{name="backup\.write"\} \d/m);
      }, 20_000);
    });
  });
