import type { Bench } from './bench.ts';
import type { Claim } from './claims.ts';
import { startPostgres } from './postgres.ts';

type Measure = (bench: Bench, database: string, postgresUrl?: string) => Promise<Claim[]>;

/** Measures on SQLite, then on a PostgreSQL server that is started for it. */
export async function onBothDatabases(bench: Bench, measure: Measure): Promise<Claim[]> {
  await using postgres = await startPostgres();
  return [...(await measure(bench, 'SQLite')), ...(await measure(bench, 'PostgreSQL', postgres.url))];
}
