// PostgreSQL through a pool of `pg`, with the same value types as SQLite: int8 comes back as a number. Every wait has
// an end, so that a server that is away, frozen or overloaded makes requests fail with 503, not hang.

import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { isConnectionLost } from './errors.ts';

export interface PostgresOptions {
  /** `postgres://…`; settings of `pg` may follow it, such as `?statement_timeout=60000`, and win over those here. */
  url: string;
  /** Connections at most. Default 20: three replicas stay well below PostgreSQL's default of 100. */
  poolSize?: number | undefined;
  /** False for work that may take its time, such as migrations. Default true. */
  timeLimits?: boolean | undefined;
}

const DEFAULT_POOL_SIZE = 20;
/** How long a request waits for a connection, new or of the pool, before it is answered with 503. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Idle connections are probed after this time, so that one to a host that is gone is noticed. */
const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a stop waits for statements under way. */
const END_TIMEOUT_MS = 5_000;
const TIME_LIMITS = {
  /** The longest statements, those that store the list of files of a huge tarball, take some seconds. */
  statement_timeout: 30_000,
  /** Fifty uploads to one artefact queue for its lock for less than a second. */
  lock_timeout: 15_000,
  /**
   * Transactions hold SQL only: one that idles belongs to a replica that has died or is frozen, and keeps its locks.
   */
  idle_in_transaction_session_timeout: 30_000,
  /** Counted on this side, for a server that cannot count any more. */
  query_timeout: 35_000,
};
/** OID of int8 (https://www.postgresql.org/docs/current/catalog-pg-type.html); sizes stay far below 2^53. */
const INT8_OID = 20;

type Client = pg.PoolClient & { connection: pg.Connection };

/** Makes a pool; connections are opened when first needed, so a database that is away does not fail here. */
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
  return new PostgresDialect({ pool });
}

/** A pool that never hands out a connection again on which a query was lost. */
class Pool extends pg.Pool {
  readonly #clients = new Set<Client>();

  constructor(config: pg.PoolConfig) {
    super(config);
    // A connection that breaks must not end the process, whether it is idle or in use: the query under way, if any,
    // fails by itself, and the pool replaces the connection.
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
        // After a time-out the answer may still come, and would be taken for that of the next query; a primary that
        // became a standby answers, but is of no use.
        if (isConnectionLost(error)) discard(client);
        throw error;
      }
    }) as typeof client.query;
  }
}

/** Hangs up, and lets the pool know when it gets the client back, which is before it hears of the end. */
function discard(client: Client): void {
  hangUp(client);
  const { release } = client;
  client.release = () => {
    release(true);
  };
}

/** Closes a connection without the farewell that a frozen server would not take. */
function hangUp({ connection }: Client): void {
  connection.stream.destroy();
}
