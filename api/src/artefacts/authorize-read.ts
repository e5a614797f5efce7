// Authorises reads of documents, downloads and tarball contents.

import { accountOf, enforce, notVisible, policy, type Account, type Caller } from '../access/index.ts';

/** The right that a read needs: to see that the artefact exists, or to download its bytes. */
export type ReadRight = 'seeArtefact' | 'downloadArtefact';

/**
 * Returns the row of an artefact if the caller has the right.
 * @param row undefined if the artefact does not exist
 * @throws artefact_not_found if it does not exist or the caller may not see it; not_shared if it exists and the caller
 *   is an internal service; for `downloadArtefact` also unauthenticated, no_access_grant
 */
export async function authorizeRead<Row extends { public: boolean | number }>(
  artefacts: { findPrivateAccess(id: string): Promise<Account[]> },
  caller: Caller,
  id: string,
  right: ReadRight,
  row: Row | undefined,
): Promise<Row> {
  if (!row && caller.kind === 'internal') throw notVisible();
  const isPublic = Boolean(row?.public);
  const refusal = policy[right](caller, { public: isPublic, privateAccess: [] });
  if (refusal && !isPublic && accountOf(caller)) {
    // For an absent artefact too: the duration of the same queries does not tell it from one that is not shared.
    const privateAccess = await artefacts.findPrivateAccess(id);
    enforce(policy[right](caller, { public: false, privateAccess }));
  } else enforce(refusal);
  if (!row) throw notVisible();
  return row;
}
