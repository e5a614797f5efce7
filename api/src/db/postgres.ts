// PostgreSQL through a pool of `pg`, with the same value types as SQLite: int8 is read as a number. Every wait has a
// time limit, so that requests fail with 503 instead of hanging if the server is unreachable, frozen or overloaded.

import { PostgresDialect, PostgresDriver, type Driver } from 'kysely';
import pg from 'pg';
import { isConnectionLost } from './errors.ts';

export interface PostgresOptions {
  /** `postgres://…`, optionally with `pg` settings that override those here, such as `?statement_timeout=60000`. */
  url: string;
  /** Maximum number of connections. Default 20: three replicas stay well below PostgreSQL's default limit of 100. */
  poolSize?: number | undefined;
  /** False for slow work, such as migrations. Default true. */
  timeLimits?: boolean | undefined;
}

const DEFAULT_POOL_SIZE = 20;
/** How long a request waits for a new or pooled connection before it fails with 503. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Idle connections are probed after this time, so that dead hosts are detected. */
const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a shutdown waits for running statements. */
const END_TIMEOUT_MS = 5_000;
const TIME_LIMITS = {
  /** The longest statements, which store the file index of a huge tarball, take a few seconds. */
  statement_timeout: 30_000,
  /** Fifty uploads to one artefact queue for its lock for less than a second. */
  lock_timeout: 15_000,
  /** Transactions run SQL only, so an idle one belongs to a dead or frozen replica and would keep its locks. */
  idle_in_transaction_session_timeout: 30_000,
  /** Measured by the client, in case the server is frozen. */
  query_timeout: 35_000,
};
/** OID of int8 (https://www.postgresql.org/docs/current/catalog-pg-type.html); sizes stay far below 2^53. */
const INT8_OID = 20;

type Client = pg.PoolClient & { connection: pg.Connection };

/** Creates a pool. Connections are opened on demand, so this does not fail if the database is unreachable. */
export function openPostgres({ url, poolSize = DEFAULT_POOL_SIZE, timeLimits = true }: PostgresOptions): pg.Pool {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8_OID, Number);
  return new Pool({
    connectionString: url,
    types,
    max: poolSize,
    application_name: 'berth',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    ...(timeLimits && TIME_LIMITS),
  });
}

export function postgresDialect(pool: pg.Pool): PostgresDialect {
  return new RollbackSafeDialect(pool);
}

class RollbackSafeDialect extends PostgresDialect {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    super({ pool });
    this.#pool = pool;
  }

  override createDriver(): Driver {
    return new RollbackSafeDriver({ pool: this.#pool });
  }
}

/** Keeps the error that ended a transaction if the rollback fails too, as it does on a lost connection. */
class RollbackSafeDriver extends PostgresDriver {
  override async rollbackTransaction(connection: Parameters<PostgresDriver['rollbackTransaction']>[0]): Promise<void> {
    // The base class has marked the connection, so that the pool closes it: PostgreSQL then rolls back by itself.
    await super.rollbackTransaction(connection).catch(() => undefined);
  }
}

/** A pool that discards connections on which a query was lost. */
class Pool extends pg.Pool {
  readonly #clients = new Set<Client>();

  constructor(config: pg.PoolConfig) {
    super(config);
    // Without this listener, a broken connection would end the process. A running query fails by itself, and the pool
    // replaces the connection.
    this.on('error', () => undefined);
    this.on('connect', (client) => {
      this.#watch(client);
    });
    this.on('remove', (client) => this.#clients.delete(client as Client));
  }

  override async end(): Promise<void> {
    const timer = setTimeout(() => {
      for (const client of this.#clients) hangUp(client);
    }, END_TIMEOUT_MS);
    await super.end();
    clearTimeout(timer);
  }

  #watch(client: Client): void {
    this.#clients.add(client);
    client.on('error', () => undefined);
    const query = client.query.bind(client) as (...parameters: unknown[]) => Promise<unknown>;
    client.query = (async (...parameters: unknown[]) => {
      try {
        return await query(...parameters);
      } catch (error) {
        // After a timeout, a late response would be taken for that of the next query. A primary that became a standby
        // still responds but refuses writes.
        if (isConnectionLost(error)) discard(client);
        throw error;
      }
    }) as typeof client.query;
  }
}

/** Closes the connection, and makes `release` remove it from the pool: `release` comes before the close event. */
function discard(client: Client): void {
  hangUp(client);
  const { release } = client;
  client.release = () => {
    release(true);
  };
}

/** Closes a connection without PostgreSQL's Terminate message, which a frozen server would not read. */
function hangUp({ connection }: Client): void {
  connection.stream.destroy();
}
