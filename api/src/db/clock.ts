// The database's clock, for times that all replicas must agree on.

import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from './database.ts';

/**
 * An SQL expression for the current time as ISO 8601 text, the format of all time columns:
 * `2026-01-31T12:00:00.000Z`. Evaluated per statement, not at the start of the transaction. On SQLite it is the clock
 * of the machine.
 *
 * @param offsetMs added to the time; negative for the past
 */
export function databaseTime(dialect: DialectName, offsetMs = 0): RawBuilder<string> {
  return dialect === 'postgres'
    ? sql<string>`to_char(
        (clock_timestamp() + ${offsetMs}::double precision * interval '1 millisecond') at time zone 'utc',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
      )`
    : sql<string>`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`${(offsetMs / 1000).toFixed(3)} seconds`})`;
}
