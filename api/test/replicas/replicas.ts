// Several replicas, each in its own process, on one PostgreSQL database and one S3 root.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { createTestS3 } from '../support/s3.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import type { WithStorage } from '../support/stored-state.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from '../support/test-client.ts';

export type Replica = TestClient & ServerProcess & WithStorage;

export interface Replicas {
  readonly all: Replica[];
  /** Starts one more. */
  start(): Promise<Replica>;
  close(): Promise<void>;
}

export interface ReplicasOptions {
  count: number;
  /** Default: a new database, dropped by close(). */
  databaseUrl?: string;
  /** Default S3; with `fs`, all share one directory. */
  storage?: 'fs' | 's3';
  /** Additional settings. */
  env?: Record<string, string>;
}

/** Starts all replicas concurrently. */
export async function startReplicas({
  count,
  databaseUrl,
  storage = 's3',
  env = {},
}: ReplicasOptions): Promise<Replicas> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-replicas-'));
  const database = databaseUrl === undefined ? await createTestDatabaseUrl() : undefined;
  const s3 = storage === 's3' ? await createTestS3() : undefined;
  const secret = () => randomBytes(32).toString('hex');
  const settings = {
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl ?? database?.url ?? '',
    LOG_LEVEL: 'warn',
    PUBLIC_URL: 'http://localhost',
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    SECRET_INTERNAL_SERVICES: 'internal-secret',
    API_KEYS_SALT: secret(),
    CIPHER_PASSWORD: secret(),
    AUTH_SECRET: secret(),
    ...s3?.env,
    ...env,
  };
  const all: Replica[] = [];
  const start = async (): Promise<Replica> => {
    const child = await startServerProcess({ env: settings });
    const replica = {
      ...createTestClient(child.url, settings.SECRET_INTERNAL_SERVICES),
      ...child,
      dataDir,
      server: { config: settings },
    };
    all.push(replica);
    return replica;
  };
  const close = async () => {
    await Promise.all(all.filter((replica) => replica.isRunning()).map((replica) => replica.stop()));
    await database?.drop();
    await s3?.remove();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await Promise.all(Array.from({ length: count }, start));
  } catch (error) {
    await close();
    throw error;
  }
  return { all, start, close };
}
