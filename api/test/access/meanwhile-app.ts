// A whole server in which something can be changed between the authentication of a request and its transaction.

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config/index.ts';
import { migrate, type Database, type DialectName } from '../../src/db/index.ts';
import { createMetrics } from '../../src/http/index.ts';
import { findSecrets } from '../../src/secrets.ts';
import { closeAll, createServices, openInstance, type Opened } from '../../src/services.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, type Headers } from '../support/people.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import type { WithStorage } from '../support/stored-state.ts';
import { createTestClient, type TestClient } from '../support/test-client.ts';

/** Who sends a request: a signed-in user, or an upload key. */
export interface Person {
  id: string;
  email: string;
  headers: Headers;
}

export interface MeanwhileApp extends TestClient, WithStorage {
  database: Database;
  /** On PostgreSQL, for another connection. */
  databaseUrl: string | undefined;
  /** Creates a user with a session, who acts for themselves. */
  user(role: 'admin' | 'user'): Promise<Person>;
  /** Starts another session of a user. */
  session(userId: string): Promise<{ id: string; headers: Headers }>;
  /** Creates a user with a session, who administers the organisation acme and acts for it. */
  acmeAdmin(): Promise<Person>;
  key(): Promise<Person>;
  /** Prepares work to run once, before the first transaction of the request that is sent with these headers. */
  beforeTransaction(work: () => Promise<void>): { headers: Headers; hasRun(): boolean };
  /** Number of connections to the server. */
  connections(): Promise<number>;
  /** How often the work of a transaction has run again, after a conflict such as a deadlock. */
  repeatedTransactions(): number;
  /** All rows as texts such as `artefacts|1|public|…`, except those that differ at any time. */
  dump(): Promise<string[]>;
  close(): Promise<void>;
}

export interface MeanwhileOptions {
  heartbeatMs?: number;
  stallMs?: number;
  publicUrl?: string;
  port?: number;
  /** Called with errors of background work. Default: throws them. */
  onError?: (error: unknown) => void;
}

const REQUEST_ID = 'x-under-test';
/** Written beside the changes under test: bytes in transfer, counts, and what SQLite derives from other tables. */
const VOLATILE_TABLES = /^(blob_writers|daily_transfers|rateLimit|failed_attempts|artefact_search.*|sqlite_.*)$/;
/** The same for columns: the last use of a key, and the progress of a resumable upload. */
const VOLATILE_COLUMNS = /^(last_used_at|received|expires_at|claim|claimed_until|claim_wanted)$/;

const fail = (error: unknown): never => {
  throw error;
};

export async function startMeanwhileApp(
  dialect: DialectName,
  { heartbeatMs, stallMs, publicUrl = 'http://localhost', port = 0, onError = fail }: MeanwhileOptions = {},
): Promise<MeanwhileApp> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-meanwhile-'));
  const created = dialect === 'postgres' ? await createTestDatabaseUrl({ migrated: true }) : undefined;
  const secret = randomBytes(32).toString('hex');
  const config = readConfig({
    DATA_DIR: folder,
    PUBLIC_URL: publicUrl,
    SECRET_INTERNAL_SERVICES: 'internal-secret',
    API_KEYS_SALT: secret,
    CIPHER_PASSWORD: secret,
    AUTH_SECRET: secret,
    ...(created && { DATABASE_URL: created.url }),
  });
  const opened: Opened = [];
  const shared = {
    opened,
    onError,
  };
  const instance = await openInstance(config, shared);
  const { database } = instance;
  if (!created) await migrate(database);

  const requestIds = new AsyncLocalStorage<string | undefined>();
  const pending = new Map<string, () => Promise<void>>();
  let repeated = 0;
  const preceded: Database = {
    ...database,
    async transaction(work) {
      const id = requestIds.getStore() ?? '';
      const meanwhile = pending.get(id);
      pending.delete(id);
      await meanwhile?.();
      let runs = 0;
      return database.transaction((tx) => {
        if (++runs > 1) repeated++;
        return work(tx);
      });
    },
  };
  const services = createServices(
    config,
    { ...instance, database: preceded },
    { ...shared, passwords: FAST_PASSWORDS, secrets: findSecrets(config).values },
  );
  const app = await createApp({
    http: { secure: false, basePath: '', trustedProxies: [], logLevel: 'silent' },
    publicUrl,
    frameAncestors: "'self'",
    build: { version: '0.0.0' },
    ...services,
    metrics: createMetrics(),
    serveMetrics: false,
    phaseNow: () => 'serving',
    streams: { heartbeatMs, stallMs },
  });
  opened.push(app);
  app.server.prependListener('request', ({ headers }) => {
    requestIds.enterWith(headers[REQUEST_ID] as string | undefined);
  });
  await services.accounts.createFirstSuperadmin({ email: ADMIN_EMAIL, password: ADMIN_PASSWORD });
  const client = createTestClient(await app.listen({ port, host: '127.0.0.1' }), 'internal-secret');
  const tables = (await database.db.introspection.getTables()).filter(({ name }) => !VOLATILE_TABLES.test(name));

  async function session(userId: string): Promise<{ id: string; headers: Headers }> {
    const id = randomUUID();
    const token = randomBytes(24).toString('base64url');
    const now = new Date();
    await database.db
      .insertInto('session')
      .values({
        id,
        token,
        userId,
        expiresAt: new Date(now.getTime() + 7 * 86_400_000),
        createdAt: now,
        updatedAt: now,
      })
      .execute();
    const signature = createHmac('sha256', secret).update(token).digest('base64');
    return {
      id,
      headers: { cookie: `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}` },
    };
  }

  async function user(role: 'admin' | 'user'): Promise<Person> {
    const id = randomUUID();
    const email = `${id}@example.org`;
    const now = new Date();
    await database.db
      .insertInto('user')
      .values({
        id,
        email,
        role,
        name: 'Uma',
        emailVerified: true,
        banned: false,
        twoFactorEnabled: false,
        createdAt: now,
        updatedAt: now,
      })
      .execute();
    return { id, email, headers: (await session(id)).headers };
  }

  return {
    ...client,
    database,
    databaseUrl: created?.url,
    server: { config: { DATA_DIR: folder, ...(created && { DATABASE_URL: created.url }) } },
    dataDir: folder,
    user,
    session,
    async acmeAdmin() {
      const person = await user('user');
      const root = { headers: await client.superadmin() };
      await client.api('POST', '/organizations', { ...root, body: { id: 'acme', name: 'Acme' } });
      await client.api('PUT', `/organizations/acme/members/${person.id}`, { ...root, body: { role: 'admin' } });
      await client.api('PUT', '/session/account', {
        headers: person.headers,
        body: { type: 'organization', id: 'acme' },
      });
      return person;
    },
    async key() {
      const response = await client.api('POST', '/api-keys', {
        headers: await client.superadmin(),
        body: { type: 'upload', name: 'CI' },
      });
      const { _id: id, key } = (await response.json()) as { _id: string; key: string };
      return { id, email: '', headers: { 'x-api-key': key } };
    },
    beforeTransaction(work) {
      const id = randomUUID();
      pending.set(id, work);
      return { headers: { [REQUEST_ID]: id }, hasRun: () => !pending.has(id) };
    },
    connections: promisify(app.server.getConnections.bind(app.server)),
    repeatedTransactions: () => repeated,
    async dump() {
      const selects = tables.map(({ name, columns }) => {
        const kept = columns.filter((column) => !VOLATILE_COLUMNS.test(column.name));
        const values = kept.map((column) => sql`coalesce(cast(${sql.ref(column.name)} as text), '-')`);
        const text = sql.join(values, sql` || '|' || `);
        return sql`select ${sql.lit(`${name}|`)} || ${text} as "row" from ${sql.table(name)}`;
      });
      const { rows } = await sql<{ row: string }>`${sql.join(selects, sql` union all `)}`.execute(database.db);
      return rows.map(({ row }) => row).sort();
    },
    async close() {
      await closeAll(opened);
      await created?.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
