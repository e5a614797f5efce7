// Admits people from the OpenID provider. better-auth calls this before it looks for their user, so that all that the
// rules of identity.ts demand happens in one transaction; afterwards it finds the user, or refuses.

import { ANONYMOUS, type CurrentActor } from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import type { AuthCalls, Profile } from '../auth/call-context.ts';
import type { AddressProofs } from '../users/address-proof.ts';
import {
  deleteSessionsOf,
  findUser,
  insertUser,
  lockUserByEmail,
  lockUsers,
  updateUser,
  type UserRow,
} from '../users/repository.ts';
import {
  decide,
  keysOfUnknownIssuer,
  readIdentity,
  type Candidate,
  type Identity,
  type LinkDecision,
  type Refusal,
} from './identity.ts';
import { deleteIdentities, findUserByIdentity, insertIdentity, listIdentities } from './repository.ts';

/** Fields of a user for better-auth. */
export type AdmittedFields = { email: string | undefined; emailVerified: boolean; name: string | undefined };

/**
 * Finds, links or creates the user of a profile, or records in the facts of the call why not.
 * @returns the fields as they are stored, so that better-auth changes none
 */
export type Admit = (profile: Profile) => Promise<AdmittedFields>;

export interface AdmissionOptions {
  database: Database;
  /** OIDC_ISSUER without a trailing slash. */
  issuer: string;
  /** Claim that says that an address is verified. Default `email_verified`. */
  verifiedClaim?: string | undefined;
  calls: AuthCalls;
  proofs: AddressProofs;
}

type Admitted = { user: UserRow } | { refusal: Refusal };

export function createAdmission({ database, issuer, verifiedClaim, calls, proofs }: AdmissionOptions): Admit {
  const { dialect } = database;

  async function findCandidates(tx: Tx, { key, email }: Identity) {
    const findLinked = async () => {
      const userId = await findUserByIdentity(tx, key);
      return userId === undefined ? undefined : findUser(tx, userId);
    };
    const linked = await findLinked();
    // So that nobody else gets the new address meanwhile.
    if (linked && linked.email !== email) await lockUsers(tx, dialect);
    const holder = email === undefined ? undefined : await lockUserByEmail(tx, dialect, email);
    // It may have been linked while this transaction waited for the lock.
    return { known: linked ?? (await findLinked()), holder };
  }

  async function admit(tx: Tx, actor: CurrentActor, identity: Identity): Promise<Admitted> {
    const { known, holder } = await findCandidates(tx, identity);
    const decision = decide(
      identity,
      known && (await toCandidate(tx, known)),
      holder && (await toCandidate(tx, holder)),
    );
    switch (decision.action) {
      case 'refuse':
        return { refusal: decision.refusal };
      case 'create':
        return create(tx, actor, identity);
      case 'sign-in':
        break;
      case 'update':
        await update(tx, actor, identity, decision.userId);
        break;
      case 'link':
      case 'take-over':
        await link(tx, actor, identity, decision);
    }
    const user = await findUser(tx, decision.userId);
    if (!user) throw new Error('the user was deleted within the transaction');
    return { user };
  }

  async function create(tx: Tx, actor: CurrentActor, identity: Identity): Promise<Admitted> {
    const { key, email = '', name = email } = identity;
    const user = await insertUser(tx, { email, name, isAdmin: false, isProved: true });
    // The address was taken since it was looked for.
    if (!user) return admit(tx, actor, identity);
    await insertIdentity(tx, user.id, key);
    await recordChange(tx, actor, {
      action: 'user.create',
      targetType: 'user',
      targetId: user.id,
      details: { email, isAdmin: false, by: 'oidc', identity: key },
    });
    return { user };
  }

  async function update(tx: Tx, actor: CurrentActor, { email, name }: Identity, userId: string): Promise<void> {
    const user = await findUser(tx, userId);
    const changes = {
      ...(name !== undefined && name !== user?.name && { name }),
      ...(email !== user?.email && { email }),
    };
    if (Object.keys(changes).length === 0) return;
    await updateUser(tx, userId, changes);
    await recordChange(tx, actor, {
      action: 'user.update',
      targetType: 'user',
      targetId: userId,
      details: { ...changes, by: 'oidc' },
    });
  }

  async function link(
    tx: Tx,
    actor: CurrentActor,
    { key, email, name }: Identity,
    { action, userId }: LinkDecision,
  ): Promise<void> {
    let removed: string[] = [];
    if (action === 'take-over') removed = await proofs.takeOver(tx, actor, userId);
    else {
      await deleteIdentities(tx, userId, keysOfUnknownIssuer(await listIdentities(tx, userId)));
      await deleteSessionsOf(tx, userId);
    }
    await updateUser(tx, userId, { email, name });
    await insertIdentity(tx, userId, key);
    await recordChange(tx, actor, {
      action: 'user.link',
      targetType: 'user',
      targetId: userId,
      details: { email, identity: key, removed },
    });
  }

  return async (profile) => {
    const facts = calls.current();
    facts.profile = profile;
    const identity = readIdentity(profile, issuer, verifiedClaim);
    // better-auth refuses a profile without a subject.
    if (!identity) return { email: undefined, emailVerified: false, name: undefined };
    const actor = { caller: ANONYMOUS, ip: facts.ip, requestId: facts.requestId };
    const admitted = await database.transaction((tx) => admit(tx, actor, identity));
    if ('user' in admitted) {
      const { email, emailVerified, name } = admitted.user;
      return { email, emailVerified: Boolean(emailVerified), name };
    }
    facts.refusal = admitted.refusal;
    return { email: identity.email, emailVerified: false, name: identity.name };
  };
}

async function toCandidate(tx: Tx, { id, emailVerified, banned }: UserRow): Promise<Candidate> {
  return {
    id,
    isProved: Boolean(emailVerified),
    isDisabled: Boolean(banned),
    keys: await listIdentities(tx, id),
  };
}
