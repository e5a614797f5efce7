// Where Berths of a bench keep what they keep, and a look at it from behind their backs.

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestS3, TEST_BUCKET } from '../../api/test/support/s3.ts';
import { query } from '../../api/test/support/stored-state.ts';
import { startPostgres } from './postgres.ts';

export interface Site extends AsyncDisposable {
  dataDir: string;
  /** Settings beside DATA_DIR. */
  env: Record<string, string>;
  /** Reads rows of the database. */
  query<Row extends object>(statement: string): Promise<Row[]>;
  /** Size of the bytes under a storage key; -1 when there are none. */
  sizeOf(storageKey: string): Promise<number>;
}

/** SQLite and files: what a start without any setting uses. */
export async function openEmbeddedSite(): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  return {
    dataDir,
    env: {},
    query: (statement) => query({ server: { config: { DATA_DIR: dataDir } } }, statement),
    sizeOf: (storageKey) => stat(join(dataDir, 'blobs', storageKey)).then((file) => file.size, () => -1),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

/** PostgreSQL, flushed to the disk, and S3: what any number of replicas share. */
export async function openClusterSite(): Promise<Site> {
  const [postgres, s3] = await Promise.all([startPostgres(), createTestS3()]);
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  return {
    dataDir,
    env: { ...s3.env, DATABASE_URL: postgres.url },
    query: (statement) => query({ server: { config: { DATA_DIR: dataDir, DATABASE_URL: postgres.url } } }, statement),
    sizeOf: (storageKey) => s3.s3.headObject({ Bucket: TEST_BUCKET, Key: `${s3.root}/blobs/${storageKey}` }).then(({ ContentLength = -1 }) => ContentLength, () => -1),
    async [Symbol.asyncDispose]() {
      await s3.remove();
      await postgres[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
