// Parks the synchronisation of a registry whose runs end the server: nothing takes it up again until a superadmin
// requests a run.

import type { Database } from '../db/index.ts';
import type { JobContext } from '../jobs/index.ts';
import { SyncParkedError } from './errors.ts';
import { recordOutcome } from './outcome.ts';
import type { Remote, SyncProgress } from './remote.ts';
import { remoteRepository } from './repository.ts';

/** Runs in a row during which the server's process died: one may be a coincidence, three are not. */
const MAX_DEATHS = 3;

/** Whether runs must wait for a superadmin. */
export function isParked({ lastSyncErrorCode, request }: Remote): boolean {
  return lastSyncErrorCode === SyncParkedError.code && !request;
}

/** Parks the registry if its last runs have ended the process. @returns whether the run must not go on */
export async function parkAfterDeaths(
  database: Database,
  remote: Remote,
  { deaths, assertHeld }: JobContext<SyncProgress>,
): Promise<boolean> {
  if (deaths < MAX_DEATHS) return isParked(remote);
  const { code, message } = new SyncParkedError(
    `The server ended during ${deaths} synchronisations of this registry in a row, so it is not synchronised any ` +
      'more. Look into the log of the server; then synchronise it by hand, or remove it.',
  );
  await database.transaction(async (tx) => {
    await assertHeld(tx);
    await remoteRepository(tx).endRequest(remote);
    await recordOutcome(tx, remote.id, { code, text: message }, { last_sync_at: new Date().toISOString() });
  });
  return true;
}
