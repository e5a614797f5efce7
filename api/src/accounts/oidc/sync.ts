// Updates a user's memberships and superadmin role from the claims of the OpenID provider, at each sign-in through it.

import type { CurrentActor } from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { deleteMember, listMembershipRoles, saveMember } from '../organizations/member-repository.ts';
import { insertOrganization } from '../organizations/repository.ts';
import { isSuperadmin } from '../operations.ts';
import { findUser, lockSuperadmins, updateUser } from '../users/repository.ts';
import { readClaims, type ClaimedOrganization, type ClaimNames } from './operations.ts';

/** @returns what was passed over, in one sentence for the log; undefined if it was nothing */
export type SyncClaims = (
  actor: CurrentActor,
  userId: string,
  profile: Record<string, unknown>,
) => Promise<string | undefined>;

export function createClaimSync({ database, names }: { database: Database; names: ClaimNames }): SyncClaims {
  async function syncOrganizations(
    tx: Tx,
    actor: CurrentActor,
    userId: string,
    claimed: ClaimedOrganization[],
  ): Promise<void> {
    const currentRoles = await listMembershipRoles(tx, userId);
    for (const { id, name, role } of claimed) {
      if (await insertOrganization(tx, { id, name }))
        await recordChange(tx, actor, {
          action: 'organization.create',
          targetType: 'organization',
          targetId: id,
          details: { name, by: 'oidc' },
        });
      if (currentRoles.get(id) === role) continue;
      await saveMember(tx, { organizationId: id, userId, role });
      await recordChange(tx, actor, {
        action: 'organization.save-member',
        targetType: 'organization',
        targetId: id,
        details: { userId, role, by: 'oidc' },
      });
    }
    for (const id of currentRoles.keys()) {
      if (claimed.some((it) => it.id === id)) continue;
      await deleteMember(tx, id, userId);
      await recordChange(tx, actor, {
        action: 'organization.delete-member',
        targetType: 'organization',
        targetId: id,
        details: { userId, by: 'oidc' },
      });
    }
  }

  async function syncAdmin(tx: Tx, actor: CurrentActor, userId: string, isAdmin: boolean): Promise<void> {
    const user = await findUser(tx, userId);
    if (!user || isSuperadmin(user.role) === isAdmin) return;
    // The last superadmin is kept, so that someone can correct a wrong claim.
    if (!isAdmin && (await lockSuperadmins(tx, database.dialect)).every((id) => id === userId)) return;
    await updateUser(tx, userId, { isAdmin });
    await recordChange(tx, actor, {
      action: 'user.update',
      targetType: 'user',
      targetId: userId,
      details: { isAdmin, by: 'oidc' },
    });
  }

  return async (actor, userId, profile) => {
    const { organizations, isAdmin, ignored } = readClaims(profile, names);
    await database.transaction(async (tx) => {
      // The user before their memberships: in this order, a change of theirs locks both (sessions/repository.ts).
      if (isAdmin !== undefined) await syncAdmin(tx, actor, userId, isAdmin);
      if (organizations) await syncOrganizations(tx, actor, userId, organizations);
    });
    return ignored;
  };
}
