// Column types that differ between the two databases.

import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from '../database.ts';

export interface ColumnTypes {
  /** Text that is compared byte by byte, as SQLite does by default. */
  text: RawBuilder<unknown>;
  /** Integers up to 2^53. */
  int8: RawBuilder<unknown>;
  bytes: RawBuilder<unknown>;
  /** Date and boolean types of better-auth. */
  authDate: RawBuilder<unknown>;
  authBoolean: RawBuilder<unknown>;
  /** A row number that the database assigns. */
  sequence: RawBuilder<unknown>;
}

export function columnTypes(dialect: DialectName): ColumnTypes {
  return dialect === 'postgres'
    ? {
        text: sql`text collate "C"`,
        int8: sql`bigint`,
        bytes: sql`bytea`,
        authDate: sql`timestamptz`,
        authBoolean: sql`boolean`,
        sequence: sql`bigint generated always as identity`,
      }
    : {
        text: sql`text`,
        int8: sql`integer`,
        bytes: sql`blob`,
        authDate: sql`date`,
        authBoolean: sql`integer`,
        sequence: sql`integer`,
      };
}
