import { sql, type RawBuilder } from 'kysely';

/**
 * For the `on conflict` of an insert: what the row that is there takes from the one that was to be inserted, which on both databases is called
 * `excluded`. Leave keys out: on PostgreSQL, to set one, be it to what it is, waits for all whose rows refer to it.
 */
export function excluded(columns: readonly string[]): Record<string, RawBuilder<never>> {
  return Object.fromEntries(columns.map((column) => [column, sql.ref<never>(`excluded.${column}`)]));
}
