// Storage of the servers of a benchmark, with direct access to its database and its blobs.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { startPostgres } from './postgres.ts';
import { startSwift } from './swift.ts';
import { requireTool } from './tools.ts';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface Site extends AsyncDisposable {
  dataDir: string;
  /** Settings other than DATA_DIR. */
  env: Record<string, string>;
  /** Reads rows of the database. */
  query<Row extends object>(select: string): Promise<Row[]>;
  /** Changes rows of the database. */
  execute(statement: string): Promise<void>;
  /** Returns the size of the object under a storage key; -1 if there is none. */
  sizeOf(storageKey: string): Promise<number>;
}

/** SQLite and files, the default configuration. */
export async function openEmbeddedSite(): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  const withDatabase = <T>(work: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(join(dataDir, 'berth.db'));
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  return {
    dataDir,
    env: {},
    query: async <Row extends object>(select: string) =>
      withDatabase((database) => database.prepare(select).all() as Row[]),
    execute: async (statement) => {
      withDatabase((database) => {
        database.exec(statement);
      });
    },
    sizeOf: sizeOfFile(dataDir),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

/** PostgreSQL and S3, both flushed to disk, for any number of replicas. */
export async function openClusterSite(): Promise<Site> {
  const [site, swift] = await Promise.all([openReplicasSite(), startSwift()]);
  return {
    ...site,
    env: { ...swift.env, ...site.env },
    sizeOf: (storageKey) =>
      swift.s3.headObject({ Bucket: swift.bucket, Key: `${swift.env['S3_ROOT_DIR']}/blobs/${storageKey}` }).then(
        ({ ContentLength = -1 }) => ContentLength,
        () => -1,
      ),
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await swift[Symbol.asyncDispose]();
    },
  };
}

/** PostgreSQL, and files in a directory that any number of replicas share. */
export async function openReplicasSite(): Promise<Site> {
  const postgres = await startPostgres();
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  const psql = requireTool('psql', 'postgresql');
  const execute = async (statement: string) =>
    (
      await run(psql, ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', postgres.url, '-c', statement], {
        maxBuffer: MAX_OUTPUT_BYTES,
      })
    ).stdout;
  return {
    dataDir,
    env: { DATABASE_URL: postgres.url },
    async query<Row extends object>(select: string) {
      const lines = await execute(`select row_to_json(it) from (${select}) as it`);
      return lines
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Row);
    },
    execute: async (statement) => {
      await execute(statement);
    },
    sizeOf: sizeOfFile(dataDir),
    async [Symbol.asyncDispose]() {
      await postgres[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function sizeOfFile(dataDir: string): Site['sizeOf'] {
  return (storageKey) =>
    stat(join(dataDir, 'blobs', storageKey)).then(
      (file) => file.size,
      () => -1,
    );
}
