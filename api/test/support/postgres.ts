// A PostgreSQL database for one test, in the server of `npm test` or else in one that this process starts.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { createDatabase, migrate } from '../../src/db/index.ts';
import { startPostgresCluster } from './postgres-cluster.ts';

export interface TestDatabase {
  /** `postgres://…` */
  readonly url: string;
  /** Drops the database and closes its remaining connections. */
  drop(): Promise<void>;
}

let clusterUrl: Promise<string> | undefined;

/**
 * Creates a database with a random name, empty or migrated. A migrated one is copied from the template of `npm test`,
 * which takes a quarter of the time of the migrations.
 * @throws Error that says what to install if PostgreSQL is missing
 */
export async function createTestDatabaseUrl({ migrated = false }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  clusterUrl ??= Promise.resolve(
    process.env.BERTH_TEST_POSTGRES_URL ?? startPostgresCluster().then((cluster) => cluster.url),
  );
  const server = await clusterUrl;
  const name = `berth_${randomBytes(8).toString('hex')}`;
  const template = process.env['BERTH_TEST_POSTGRES_TEMPLATE'];
  await execute(server, `create database ${name}${migrated && template !== undefined ? ` template ${template}` : ''}`);
  const url = urlOf(server, name);
  if (migrated && template === undefined) await migrateAt(url);
  return { url, drop: () => execute(server, `drop database if exists ${name} with (force)`) };
}

/** Creates the migrated template for `createTestDatabaseUrl`. @returns its name */
export async function createTemplateDatabase(server: string): Promise<string> {
  const name = 'berth_template';
  await execute(server, `create database ${name}`);
  await migrateAt(urlOf(server, name));
  return name;
}

async function migrateAt(url: string): Promise<void> {
  const database = createDatabase({ url });
  await migrate(database);
  await database.close();
}

function urlOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
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
