// A PostgreSQL database for one test, in the server that `npm test` started or else in one of this process.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startPostgresCluster } from './postgres-cluster.ts';

export interface TestDatabase {
  /** `postgres://…` of an empty database. */
  readonly url: string;
  /** Removes the database and ends the connections that are left. */
  drop(): Promise<void>;
}

let clusterUrl: Promise<string> | undefined;

/**
 * Creates an empty database with a random name.
 * @throws Error that says what to install when there is no PostgreSQL
 */
export async function createTestDatabaseUrl(): Promise<TestDatabase> {
  clusterUrl ??= Promise.resolve(process.env.BERTH_TEST_POSTGRES_URL ?? startPostgresCluster().then((cluster) => cluster.url));
  const server = await clusterUrl;
  const name = `berth_${randomBytes(8).toString('hex')}`;
  await execute(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(server, `drop database if exists ${name} with (force)`) };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
