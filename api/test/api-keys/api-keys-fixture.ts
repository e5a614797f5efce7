// The API-key slice on SQLite and PostgreSQL, with a clock and grants that tests control.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe } from 'node:test';
import { InsertQueryNode, TableNode, UpdateQueryNode, type KyselyPlugin } from 'kysely';
import { accountMatches, type Account, type Actor, type Caller } from '../../src/access/index.ts';
import { createApiKeys, type ApiKeys, type ApiKeysOptions } from '../../src/api-keys/index.ts';
import type { ApiKey } from '../../src/api-keys/schemas.ts';
import { createDatabase, migrate, type Database, type Schema } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';

export const CATEGORIES = ['processing', 'catalog', 'other'];
export const SALT = 'a salt for tests';

export interface Fixture {
  readonly database: Database;
  /** Time of the clock in `options`; reset after each test. */
  now: Date;
  /** Accounts with an access grant. */
  grants: Account[];
  /** Errors passed to `onError`. */
  readonly errors: unknown[];
  readonly options: Required<ApiKeysOptions>;
  /** Creates another instance of the slice on the same database, like another replica. */
  open(options?: Partial<ApiKeysOptions>): ApiKeys;
}

const DIALECTS = ['sqlite', 'postgres'] as const;
const NOON = new Date('2026-03-01T12:00:00.000Z');

/** Runs the tests once on SQLite and once on PostgreSQL, each with empty tables. */
export function describeOnBothDatabases(name: string, declareTests: (fixture: Fixture) => void): void {
  for (const dialect of DIALECTS) {
    describe(`${name} on ${dialect}`, () => {
      let database: Database | undefined;
      let remove = () => Promise.resolve();
      const opened: ApiKeys[] = [];
      const fixture: Fixture = {
        get database() {
          return database!;
        },
        now: NOON,
        grants: [],
        errors: [],
        get options(): Required<ApiKeysOptions> {
          return {
            database: fixture.database,
            salt: SALT,
            categories: CATEGORIES,
            now: () => fixture.now,
            accountHasGrant: (account) =>
              Promise.resolve(fixture.grants.some((grant) => accountMatches(grant, account))),
            onError: (error) => {
              fixture.errors.push(error);
            },
          };
        },
        open(options) {
          const keys = createApiKeys({ ...fixture.options, ...options });
          opened.push(keys);
          return keys;
        },
      };

      before(async () => {
        const temporary = dialect === 'sqlite' ? await createSqliteFile() : await createPostgresDatabase();
        database = createDatabase({ url: temporary.url });
        remove = temporary.remove;
        await migrate(database);
      });
      afterEach(async () => {
        for (const keys of opened.splice(0)) await keys.close();
        await fixture.database.db.deleteFrom('api_keys').execute();
        await fixture.database.db.deleteFrom('audit_events').execute();
        Object.assign(fixture, { now: NOON, grants: [] });
        fixture.errors.splice(0);
      });
      after(async () => {
        await database?.close();
        await remove();
      });
      declareTests(fixture);
    });
  }
}

export function actorOf(caller: Caller): Actor {
  return { caller, ip: '192.0.2.1', requestId: 'request-1' };
}

/** Creates a key for the repository. */
export function sampleKey(changes: Partial<ApiKey> & { _id: string }): ApiKey {
  return { type: 'upload', name: 'CI', shortId: '0123abcd', createdAt: NOON.toISOString(), ...changes };
}

/** Returns the start time of each test plus an offset, which may be negative. */
export function noonPlus(milliseconds: number): Date {
  return new Date(NOON.getTime() + milliseconds);
}

/** Wraps a database so that the given statements, such as `update api_keys`, fail before they are sent. */
export function failingAt(database: Database, statement: `${'insert' | 'update'} ${keyof Schema}`): Database {
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      const verb = InsertQueryNode.is(node) ? 'insert' : UpdateQueryNode.is(node) ? 'update' : undefined;
      const table = InsertQueryNode.is(node) ? node.into : UpdateQueryNode.is(node) ? node.table : undefined;
      if (table && TableNode.is(table) && statement === `${verb} ${table.table.identifier.name}`)
        throw new Error(`${statement} fails`);
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  return {
    ...database,
    db: database.db.withPlugin(plugin),
    transaction: (work) => database.transaction((tx) => work(tx.withPlugin(plugin))),
  };
}

interface TemporaryDatabase {
  url: string;
  remove: () => Promise<void>;
}

async function createSqliteFile(): Promise<TemporaryDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-api-keys-'));
  return { url: join(directory, 'berth.db'), remove: () => rm(directory, { recursive: true }) };
}

async function createPostgresDatabase(): Promise<TemporaryDatabase> {
  const created = await createTestDatabaseUrl();
  return { url: created.url, remove: () => created.drop() };
}
