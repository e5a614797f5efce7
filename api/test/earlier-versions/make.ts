// Keeps the data that a version leaves behind, for data.api.test.ts: `node api/test/earlier-versions/make.ts
// [checkout]` fills that version on SQLite and on PostgreSQL, stops it, and packs its data directory and a dump of its
// database into a folder named after its last migration. Run it before a release, never again for the same migration.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { freePort } from '../support/free-port.ts';
import { startPostgresCluster } from '../support/postgres-cluster.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD } from '../support/test-client.ts';
import { eventually } from '../support/eventually.ts';
import { fill, fillOrigin } from './fill.ts';
import { DATA_FOLDER, INTERNAL_SECRET, SHARED_SECRETS } from './kept-data.ts';

const checkout = resolve(process.argv[2] ?? join(import.meta.dirname, '../../..'));

const servers = new Set<ChildProcess>();

async function start(dataDir: string, databaseUrl?: string) {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const server = spawn(process.execPath, [join(checkout, 'api/server.ts')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      HOST: 'localhost',
      PUBLIC_URL: url,
      DATA_DIR: dataDir,
      LOG_LEVEL: 'warn',
      ADMIN_EMAIL,
      ADMIN_PASSWORD,
      SECRET_INTERNAL_SERVICES: INTERNAL_SECRET,
      ...(databaseUrl !== undefined && { ...SHARED_SECRETS, DATABASE_URL: databaseUrl }),
    },
  });
  servers.add(server);
  await eventually(async () => {
    if (!(await fetch(`${url}/api/health/ready`)).ok) throw new Error('not ready');
  }, 60_000);
  return {
    url,
    async stop() {
      server.kill();
      await once(server, 'exit');
      servers.delete(server);
    },
  };
}

/** Packs a data directory without its reserve of disk space; equal folders make equal archives. */
function pack(folder: string): Buffer {
  return gzipSync(
    execFileSync('tar', [
      '--sort=name',
      '--mtime=@0',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--exclude=./reserve',
      '-cC',
      folder,
      '.',
    ]),
    { level: 9 },
  );
}

async function lastMigration(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>('select max(name) as name from kysely_migration');
  await client.end();
  return rows[0]?.name ?? '';
}

const cluster = await startPostgresCluster();
process.env['BERTH_TEST_POSTGRES_URL'] = cluster.url;
const folder = await mkdtemp(join(tmpdir(), 'berth-data-'));
try {
  const origin = await start(join(folder, 'origin'));
  const readKey = await fillOrigin(origin.url, INTERNAL_SECRET);
  const database = await createTestDatabaseUrl();
  const files = new Map<string, string | Buffer>();
  for (const [name, databaseUrl] of [['sqlite'], ['postgres', database.url]] as const) {
    const dataDir = join(folder, name);
    const server = await start(dataDir, databaseUrl);
    const contents = await fill(server.url, INTERNAL_SECRET, { url: origin.url, readKey });
    await server.stop();
    files.set(`${name}.json`, `${JSON.stringify(contents, null, 2)}\n`);
    files.set(`${name}.tar.gz`, pack(dataDir));
  }
  await origin.stop();
  const dump = execFileSync('pg_dump', ['--inserts', '--no-owner', '--no-privileges', database.url], {
    maxBuffer: 2 ** 28,
  });
  files.set('postgres.sql.gz', gzipSync(dump, { level: 9 }));
  const kept = join(DATA_FOLDER, await lastMigration(database.url));
  if (existsSync(kept)) throw new Error(`${kept} exists: data that a version has left is never made again.`);
  await mkdir(kept, { recursive: true });
  for (const [name, content] of files) await writeFile(join(kept, name), content);
  await database.drop();
  console.log(kept);
} finally {
  for (const server of servers) server.kill();
  await cluster.stop();
  await rm(folder, { recursive: true });
}
