// PostgreSQL through a pool of `pg`, with the same value types as SQLite: int8 comes back as a number.

import { PostgresDialect } from 'kysely';
import pg from 'pg';

/** Connections of one process; three replicas stay well below PostgreSQL's default of 100. */
const POOL_SIZE = 20;
/** How long a request waits for a connection before it is answered with 503. */
const CONNECT_TIMEOUT_MS = 5_000;
/** OID of int8 (https://www.postgresql.org/docs/current/catalog-pg-type.html); sizes stay far below 2^53. */
const INT8_OID = 20;

/** Makes a pool; connections are opened when first needed, so a database that is away does not fail here. */
export function openPostgres(url: string): pg.Pool {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8_OID, Number);
  const pool = new pg.Pool({ connectionString: url, types, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true });
  // A connection that breaks must not end the process, whether it is idle or in use: the query under way, if any,
  // fails by itself, and the pool replaces the connection.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

export function postgresDialect(pool: pg.Pool): PostgresDialect { return new PostgresDialect({ pool }); }
