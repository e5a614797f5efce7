// Records whether stored bytes are what was published.

import { SYSTEM_ACTOR } from '../access/index.ts';
import type { Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import { referenceRepository } from './reference-repository.ts';
import { blobRepository, type BlobRow } from './repository.ts';

/** Artefacts that an event names. */
const MAX_NAMED = 20;

/**
 * Records the state of an object, and damage as an event as well.
 * @returns false if it had this state already, or the blob is another object by now
 */
export async function recordState(
  tx: Tx,
  { digest, storageKey }: Pick<BlobRow, 'digest' | 'storageKey'>,
  state: BlobRow['state'],
): Promise<boolean> {
  if (!(await blobRepository(tx).mark({ digest, storageKey }, state))) return false;
  if (state === 'sound') return true;
  const artefacts = (await referenceRepository(tx).listArtefacts(digest)).slice(0, MAX_NAMED);
  await recordChange(tx, SYSTEM_ACTOR, {
    action: 'storage.damage',
    targetType: 'storage',
    targetId: digest,
    outcome: 'failed',
    details: { state, artefacts },
    events: [{ type: 'storage.damaged', subject: digest, data: { state, artefacts } }],
  });
  return true;
}
