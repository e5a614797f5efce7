// A Berth that has very many artefacts from its start.

import { startBerth } from './berth-process.ts';
import { multiply, uploadTemplates } from './catalogue.ts';
import type { ServerProcess } from './processes.ts';
import { postgresRows, sqliteRows } from './row-stores.ts';

/**
 * Starts a Berth with so many artefacts on an empty data directory, and on an empty PostgreSQL database where its URL
 * is given.
 */
export async function startFilledBerth(
  dataDir: string,
  artefacts: number,
  postgresUrl?: string,
): Promise<ServerProcess> {
  const env: Record<string, string> = postgresUrl === undefined ? {} : { DATABASE_URL: postgresUrl };
  {
    await using berth = await startBerth(dataDir, env);
    await uploadTemplates(berth);
  }
  using rows = postgresUrl === undefined ? sqliteRows(dataDir) : postgresRows(postgresUrl);
  await multiply(rows, artefacts);
  return startBerth(dataDir, env);
}
