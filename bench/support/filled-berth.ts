// Starts a server with many artefacts.

import { startBerth } from './berth-process.ts';
import { auditColumns, auditRows } from './audit-rows.ts';
import { copyTemplates, uploadTemplates } from './catalogue.ts';
import type { ServerProcess } from './processes.ts';
import { postgresRows, sqliteRows } from './row-stores.ts';

/**
 * Starts a server with that many artefacts on an empty data directory.
 * @param postgresUrl an empty PostgreSQL database; default: SQLite in the data directory
 * @param auditEvents further events in its audit log; default none
 */
export async function startFilledBerth(
  dataDir: string,
  artefacts: number,
  postgresUrl?: string,
  auditEvents = 0,
): Promise<ServerProcess> {
  const env: Record<string, string> = postgresUrl === undefined ? {} : { DATABASE_URL: postgresUrl };
  {
    await using berth = await startBerth(dataDir, env);
    await uploadTemplates(berth);
  }
  using rows = postgresUrl === undefined ? sqliteRows(dataDir) : postgresRows(postgresUrl);
  await rows.writeRows('audit_events', auditColumns, auditRows(auditEvents));
  await copyTemplates(rows, artefacts);
  return startBerth(dataDir, env);
}
