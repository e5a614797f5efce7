// The one rule for reading: documents, downloads and contents.

import { enforce, notVisible, policy, type Account, type Caller } from '../access/index.ts';

/** Which right a reader needs: to see that the artefact exists, or to have its bytes. */
export type ReadRight = 'seeArtefact' | 'downloadArtefact';

/**
 * Returns what was found of an artefact, if the caller has the right.
 * @param found what the caller of this function reads of it; undefined where there is none
 * @throws artefact_not_found when there is none, or the caller may not see it; of `downloadArtefact` unauthenticated,
 *   no_access_grant /
 */
export async function authorizeRead<Found extends { public: boolean | number }>(
  artefacts: { findPrivateAccess(id: string): Promise<Account[]> },
  caller: Caller,
  id: string,
  right: ReadRight,
  found: Found | undefined,
): Promise<Found> {
  const isPublic = Boolean(found?.public);
  const refusal = policy[right](caller, { public: isPublic, privateAccess: [] });
  // Most callers need no look at the access list.
  enforce(
    refusal && found && !isPublic
      ? policy[right](caller, { public: false, privateAccess: await artefacts.findPrivateAccess(id) })
      : refusal,
  );
  if (!found) throw notVisible();
  return found;
}
