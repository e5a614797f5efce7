// The database's own clock, for what processes with clocks of their own must agree about.

import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from './database.ts';

/**
 * The time by the database's clock, as the ISO text that every column of times holds: `2026-01-31T12:00:00.000Z`.
 *
 * It is the time of the statement, not of the transaction's start. On SQLite it is the clock of the machine.
 *
 * @param offsetMs added to it; negative is earlier
 */
export function databaseTime(dialect: DialectName, offsetMs = 0): RawBuilder<string> {
  return dialect === 'postgres'
    ? sql<string>`to_char((clock_timestamp() + ${offsetMs}::double precision * interval '1 millisecond') at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
    : sql<string>`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`${(offsetMs / 1000).toFixed(3)} seconds`})`;
}
