// An address counts once its owner has proved it. Whatever was set up for its user before may be somebody else's.

import { ANONYMOUS, type CurrentActor } from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import type { AuthCallFacts } from '../auth/call-context.ts';
import { deleteCredentials } from './credential-repository.ts';
import { deleteSessionsOf, findUser, updateUser } from './repository.ts';

export interface AddressProofs {
  /**
   * Hands a user over to the owner of their address: removes password, second factor, pending links, identities,
   * sessions and keys, and marks the address as proved.
   * @param keepPassword for one that the owner has just set
   * @returns what there was to remove, for the audit log
   */
  takeOver(tx: Tx, actor: CurrentActor, userId: string, options?: { keepPassword?: boolean }): Promise<string[]>;
  /**
   * Completes a new password: ends the sessions that began meanwhile with the old one. One that was set through a
   * mailed link proves the address.
   */
  onPasswordReset(call: AuthCallFacts, userId: string): Promise<void>;
}

export interface AddressProofOptions {
  database: Database;
  /** Called in the transaction of `takeOver`; deletes what gives access on behalf of the user in other slices. */
  onTakenOver: (tx: Tx, actor: CurrentActor, userId: string) => Promise<void>;
}

export function createAddressProofs({ database, onTakenOver }: AddressProofOptions): AddressProofs {
  const takeOver: AddressProofs['takeOver'] = async (tx, actor, userId, options) => {
    const removed = await deleteCredentials(tx, userId, options);
    await deleteSessionsOf(tx, userId);
    await onTakenOver(tx, actor, userId);
    await updateUser(tx, userId, { emailVerified: true });
    return removed;
  };
  return {
    takeOver,

    async onPasswordReset({ ip, requestId, isMailedReset }, userId) {
      await database.transaction(async (tx) => {
        await deleteSessionsOf(tx, userId);
        const user = await findUser(tx, userId);
        if (!user || !isMailedReset || user.emailVerified) return;
        const actor = { caller: ANONYMOUS, ip, requestId };
        const removed = await takeOver(tx, actor, userId, { keepPassword: true });
        await recordChange(tx, actor, {
          action: 'user.prove-address',
          targetType: 'user',
          targetId: userId,
          details: { email: user.email, by: 'password-link', removed },
        });
      });
    },
  };
}
