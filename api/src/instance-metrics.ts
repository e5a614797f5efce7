// The metrics of the whole instance, besides those that http/ counts for each process: contents, jobs, mirrors, disk.

import { statfs } from 'node:fs/promises';
import type { BuildInfo } from './build-info.ts';
import type { GaugeValue, Metrics } from './http/index.ts';
import { BACKUP_RUN } from './open.ts';
import { STATUSES } from './remotes/index.ts';
import type { Services } from './services.ts';

export interface InstanceMetricsOptions {
  metrics: Metrics;
  dataDir: string;
  build: BuildInfo;
  services: Pick<Services, 'database' | 'artefacts' | 'storage' | 'uploads' | 'jobs' | 'remotes' | 'events'>;
}

/** What reads many rows is read at most this often. */
const COUNTS_MAX_AGE_MS = 60_000;
const MAX_AGE_MS = 5_000;
/** Each replica reports these: Prometheus must not add them up. */
const OF_ALL = '(of the whole instance, the same in each replica: use max)';

export function registerInstanceMetrics(options: InstanceMetricsOptions): void {
  registerProcess(options);
  registerContents(options);
  registerJobs(options);
  registerRemotes(options);
}

/** What differs between replicas. */
function registerProcess({ metrics, dataDir, build, services }: InstanceMetricsOptions): void {
  const { database, events } = services;
  const { version, commit = '' } = build;
  metrics.gauges({ berth_build_info: { help: 'Always 1', labels: ['version', 'commit'] } }, async () => ({
    berth_build_info: [{ labels: { version, commit }, value: 1 }],
  }));
  metrics.gauges(
    {
      berth_data_dir_free_bytes: { help: 'Free bytes of the file system of DATA_DIR' },
      berth_data_dir_size_bytes: { help: 'Size of the file system of DATA_DIR' },
    },
    async () => {
      const { bavail, blocks, bsize } = await statfs(dataDir);
      return { berth_data_dir_free_bytes: bavail * bsize, berth_data_dir_size_bytes: blocks * bsize };
    },
    MAX_AGE_MS,
  );
  metrics.gauge('berth_event_streams', 'Open streams of events', () => Promise.resolve(events.openStreams()));
  if (database.pool())
    metrics.gauges(
      {
        berth_database_pool_connections: { help: 'Connections to PostgreSQL by state', labels: ['state'] },
        berth_database_pool_max_connections: { help: 'Greatest number of connections to PostgreSQL' },
        berth_database_pool_waiting: { help: 'Statements and transactions that wait for a connection' },
      },
      async () => {
        const { used, idle, max, waiting } = database.pool() ?? { used: 0, idle: 0, max: 0, waiting: 0 };
        return {
          berth_database_pool_connections: byLabel('state', { used, idle }),
          berth_database_pool_max_connections: max,
          berth_database_pool_waiting: waiting,
        };
      },
    );
}

function registerContents({ metrics, services }: InstanceMetricsOptions): void {
  const { artefacts, events, storage, uploads } = services;
  metrics.gauge(
    'berth_events_held_seconds',
    `Age of the oldest event that a transaction in progress holds back ${OF_ALL}`,
    () => events.heldSeconds(),
  );
  metrics.gauges(
    {
      berth_artefacts: { help: `Artefacts ${OF_ALL}` },
      berth_slots: { help: `Slots: tarballs and files of artefacts ${OF_ALL}` },
      berth_blobs: { help: `Stored blobs ${OF_ALL}` },
      berth_blob_bytes: { help: `Bytes of all stored blobs ${OF_ALL}` },
      berth_unsound_blobs: { help: `Blobs that a scrub found damaged or missing ${OF_ALL}` },
      berth_resumable_uploads: { help: `Resumable uploads that are not complete ${OF_ALL}` },
    },
    async () => {
      const [contents, stored, open] = await Promise.all([
        artefacts.read.totals(),
        storage.totals(),
        uploads.countIncomplete(),
      ]);
      return {
        berth_artefacts: contents.artefacts,
        berth_slots: contents.slots,
        berth_blobs: stored.blobs,
        berth_blob_bytes: stored.storedBytes,
        berth_unsound_blobs: stored.unsoundBlobs,
        berth_resumable_uploads: open,
      };
    },
    COUNTS_MAX_AGE_MS,
  );
}

function registerJobs({ metrics, services: { jobs } }: InstanceMetricsOptions): void {
  // `job` is a label of Prometheus itself.
  const labels = ['name'];
  const successAt = createSuccessTimes();
  metrics.gauges(
    {
      berth_job_running: { help: `1 while a replica runs the job, else 0 ${OF_ALL}`, labels },
      berth_job_failures: { help: `Failed runs since the last success ${OF_ALL}`, labels },
      berth_job_due_timestamp_seconds: { help: `When the job is due; in the past while it runs ${OF_ALL}`, labels },
      berth_job_last_end_timestamp_seconds: { help: `End of the last run ${OF_ALL}`, labels },
      berth_job_last_duration_seconds: { help: `Duration of the last run that has ended ${OF_ALL}`, labels },
      berth_job_last_success_timestamp_seconds: {
        help: `End of the last successful run that this process has seen ${OF_ALL}`,
        labels,
      },
    },
    async () => {
      const [registered, backup] = await Promise.all([jobs.states(), jobs.states([BACKUP_RUN])]);
      const states = [...registered.values(), ...backup.values()];
      const each = (valueOf: (state: (typeof states)[number]) => number | undefined) =>
        series('name', states, ({ name }) => name, valueOf);
      return {
        berth_job_running: each(({ running }) => (running ? 1 : 0)),
        berth_job_failures: each(({ failures }) => failures),
        berth_job_due_timestamp_seconds: each(({ dueAt }) => secondsOf(dueAt)),
        berth_job_last_end_timestamp_seconds: each(({ endedAt }) => secondsOf(endedAt)),
        berth_job_last_duration_seconds: each(({ startedAt, endedAt }) =>
          startedAt === undefined || endedAt === undefined
            ? undefined
            : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000,
        ),
        berth_job_last_success_timestamp_seconds: each(({ name, outcome, endedAt }) =>
          successAt(name, outcome === 'succeeded' ? secondsOf(endedAt) : undefined),
        ),
      };
    },
    MAX_AGE_MS,
  );
}

function registerRemotes({ metrics, services: { remotes } }: InstanceMetricsOptions): void {
  const labels = ['remote'];
  const successAt = createSuccessTimes();
  metrics.gauges(
    {
      berth_remote_artefacts: {
        help: `Selected artefacts of a remote registry by the last result ${OF_ALL}`,
        labels: ['remote', 'status'],
      },
      berth_remote_failed: { help: `1 if the last synchronisation failed, else 0 ${OF_ALL}`, labels },
      berth_remote_parked: {
        help: `1 if it waits for a superadmin since it ended the server, else 0 ${OF_ALL}`,
        labels,
      },
      berth_remote_due_timestamp_seconds: { help: `When it is to be synchronised by its schedule ${OF_ALL}`, labels },
      berth_remote_last_sync_timestamp_seconds: { help: `End of the last synchronisation ${OF_ALL}`, labels },
      berth_remote_last_success_timestamp_seconds: {
        help: `End of the last successful synchronisation that this process has seen ${OF_ALL}`,
        labels,
      },
    },
    async () => {
      const summaries = await remotes.summaries();
      const each = (valueOf: (summary: (typeof summaries)[number]['remote']) => number | undefined) =>
        series(
          'remote',
          summaries.map(({ remote }) => remote),
          ({ id }) => id,
          valueOf,
        );
      return {
        berth_remote_artefacts: summaries.flatMap(({ remote, artefacts }) =>
          STATUSES.map((status) => ({ labels: { remote: remote.id, status }, value: artefacts[status] ?? 0 })),
        ),
        berth_remote_failed: each(({ lastSyncStatus }) => (lastSyncStatus === 'error' ? 1 : 0)),
        berth_remote_parked: each(({ lastSyncErrorCode }) => (lastSyncErrorCode === 'sync_parked' ? 1 : 0)),
        berth_remote_due_timestamp_seconds: each(({ nextFullAt }) => secondsOf(nextFullAt)),
        berth_remote_last_sync_timestamp_seconds: each(({ lastSyncAt }) => secondsOf(lastSyncAt)),
        berth_remote_last_success_timestamp_seconds: each(({ id, lastSyncStatus, lastSyncAt }) =>
          successAt(id, lastSyncStatus === 'success' ? secondsOf(lastSyncAt) : undefined),
        ),
      };
    },
    COUNTS_MAX_AGE_MS,
  );
}

/**
 * Returns a function that remembers the time of the last success of each name. The database has only the last run,
 * which may have failed.
 */
function createSuccessTimes(): (name: string, at: number | undefined) => number | undefined {
  const times = new Map<string, number>();
  return (name, at) => {
    if (at !== undefined) times.set(name, at);
    return times.get(name);
  };
}

/** One value for each item that has one. */
function series<Item>(
  label: string,
  items: readonly Item[],
  nameOf: (item: Item) => string,
  valueOf: (item: Item) => number | undefined,
): Exclude<GaugeValue, number | undefined> {
  return items.flatMap((item) => {
    const value = valueOf(item);
    return value === undefined ? [] : [{ labels: { [label]: nameOf(item) }, value }];
  });
}

function byLabel(label: string, values: Record<string, number>): GaugeValue {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function secondsOf(date: string | undefined): number | undefined {
  return date === undefined ? undefined : Date.parse(date) / 1000;
}
