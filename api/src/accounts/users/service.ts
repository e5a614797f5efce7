// Users of this registry, managed by superadmins. organizations/ manages their memberships.

import {
  changeAs,
  enforce,
  policy,
  type Account,
  type Actor,
  type Caller,
  type CurrentActor,
} from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { EmailTakenError, LastSuperadminError, UserNotFoundError } from '../errors.ts';
import { isSuperadmin, normalizeEmail, passwordLink, toIso } from '../operations.ts';
import { deleteIdentities } from '../oidc/repository.ts';
import type { PasswordHashing } from '../password.ts';
import type { Page, PageQuery } from '../schemas.ts';
import { accountRoleOf } from '../sessions/operations.ts';
import { listMemberships } from '../sessions/repository.ts';
import {
  deleteSessionsOf,
  deleteUser,
  findUser,
  insertUser,
  listUsers,
  lockSuperadmins,
  updateUser,
  writePassword,
  type UserListRow,
} from './repository.ts';
import type { NewUser, PasswordLink, User, UserDetails, UserPatch } from './schemas.ts';

export interface UserService {
  /** Creates a user. @throws email_taken */
  create(actor: Actor, user: NewUser): Promise<User>;
  /** Lists users by e-mail address. */
  list(caller: Caller, query: PageQuery): Promise<Page<User>>;
  /** Finds a user with their memberships. @throws user_not_found */
  find(caller: Caller, id: string): Promise<UserDetails>;
  /**
   * Changes a user. Disabling them or setting their password ends their sessions, except the caller's own.
   * @throws user_not_found, last_superadmin
   */
  update(actor: Actor, id: string, patch: UserPatch): Promise<User>;
  /**
   * Creates a single-use link, valid for a day, with which the user sets a new password; using it ends their sessions.
   * @throws user_not_found
   */
  createPasswordLink(actor: Actor, id: string): Promise<PasswordLink>;
  /**
   * Unlinks a user from their identity at the OpenID provider and ends their sessions; the next person whom the
   * provider sends with the user's verified address is linked.
   * @throws user_not_found
   */
  unlink(actor: Actor, id: string): Promise<void>;
  /** Deletes a user with their sessions, memberships and access grant. @throws user_not_found, last_superadmin */
  remove(actor: Actor, id: string): Promise<void>;
}

export interface UserServiceOptions {
  database: Database;
  /** Called in the transaction that deletes an account; deletes what else it owned. */
  onAccountDeleted: (tx: Tx, actor: CurrentActor, account: Account) => Promise<void>;
  publicUrl: string;
  passwords: PasswordHashing;
  /** Lifts the block on sign-in after too many failures. */
  resetFailedSignIns: (email: string) => Promise<void>;
  createResetToken: (tx: Tx, userId: string) => Promise<{ token: string; expiresAt: Date }>;
}

export function createUserService({
  database,
  onAccountDeleted,
  publicUrl,
  passwords,
  resetFailedSignIns,
  createResetToken,
}: UserServiceOptions): UserService {
  /** Whoever changes a user may lock the row of any superadmin, the caller's own among them. */
  const lockFirst = (tx: Tx) => lockSuperadmins(tx, database.dialect);
  const assertNotLastSuperadmin = async (tx: Tx, id: string): Promise<void> => {
    const superadmins = await lockSuperadmins(tx, database.dialect);
    if (superadmins.length === 1 && superadmins[0] === id)
      throw new LastSuperadminError('This is the last superadmin who can sign in: appoint another one first.');
  };
  return {
    async create(actor, { email, name, password, isAdmin = false }) {
      enforce(policy.manageAccounts(actor.caller));
      const passwordHash = await passwords.hash(password);
      return changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        const row = await insertUser(tx, {
          email: normalizeEmail(email),
          name: name.trim(),
          isAdmin,
          isProved: true,
          passwordHash,
        });
        if (!row) throw new EmailTakenError('A user with this e-mail address already exists.');
        await recordChange(tx, current, {
          action: 'user.create',
          targetType: 'user',
          targetId: row.id,
          details: { email: row.email, isAdmin },
        });
        return toUser({ ...row, isLinked: false });
      });
    },

    async list(caller, query) {
      enforce(policy.manageAccounts(caller));
      const { results, count } = await listUsers(database.db, query);
      return { results: results.map(toUser), count };
    },

    async find(caller, id) {
      enforce(policy.manageAccounts(caller));
      const memberships = await listMemberships(database.db, id);
      const organizations = memberships.map(({ organization, role, departments }) => ({
        ...organization,
        role: accountRoleOf(role),
        departments: departments.filter(({ isMember }) => isMember).map((department) => department.id),
      }));
      return { ...toUser(requireUser(await findUser(database.db, id))), organizations };
    },

    async update(actor, id, { password, ...changes }) {
      enforce(policy.manageAccounts(actor.caller));
      const passwordHash = password === undefined ? undefined : await passwords.hash(password);
      const write = async (tx: Tx, current: CurrentActor) => {
        if (changes.disabled === true || changes.isAdmin === false) await assertNotLastSuperadmin(tx, id);
        requireUser(await updateUser(tx, id, { ...changes, name: changes.name?.trim() }));
        if (passwordHash !== undefined) await writePassword(tx, id, passwordHash);
        if (passwordHash !== undefined || changes.disabled === true)
          await deleteSessionsOf(tx, id, sessionIdOf(current.caller));
        await recordChange(tx, current, {
          action: 'user.update',
          targetType: 'user',
          targetId: id,
          details: { ...changes, ...(passwordHash !== undefined && { password: 'set' }) },
        });
        return toUser(requireUser(await findUser(tx, id)));
      };
      const user = await changeAs(database, actor, policy.manageAccounts, write, { lockFirst });
      if (passwordHash !== undefined) await resetFailedSignIns(user.email);
      return user;
    },

    async createPasswordLink(actor, id) {
      return changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        requireUser(await findUser(tx, id));
        const { token, expiresAt } = await createResetToken(tx, id);
        await recordChange(tx, current, {
          action: 'user.make-password-link',
          targetType: 'user',
          targetId: id,
          details: { expiresAt },
        });
        return { url: passwordLink(publicUrl, token), expiresAt: toIso(expiresAt) };
      });
    },

    async unlink(actor, id) {
      await changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        requireUser(await findUser(tx, id));
        if (!(await deleteIdentities(tx, id))) return;
        await deleteSessionsOf(tx, id, sessionIdOf(current.caller));
        await recordChange(tx, current, { action: 'user.unlink', targetType: 'user', targetId: id });
      });
    },

    async remove(actor, id) {
      const write = async (tx: Tx, current: CurrentActor) => {
        await assertNotLastSuperadmin(tx, id);
        const row = requireUser(await deleteUser(tx, id));
        await onAccountDeleted(tx, current, { type: 'user', id });
        await recordChange(tx, current, {
          action: 'user.delete',
          targetType: 'user',
          targetId: id,
          details: { email: row.email },
        });
      };
      await changeAs(database, actor, policy.manageAccounts, write, { lockFirst });
    },
  };
}

function requireUser<Row>(row: Row | undefined): Row {
  if (!row) throw new UserNotFoundError('No user has this ID.');
  return row;
}

function sessionIdOf(caller: Caller): string | undefined {
  return caller.kind === 'user' ? caller.sessionId : undefined;
}

function toUser(row: UserListRow): User {
  return {
    id: row.id,
    email: row.email,
    emailVerified: Boolean(row.emailVerified),
    name: row.name,
    isAdmin: isSuperadmin(row.role),
    disabled: Boolean(row.banned),
    linked: Boolean(row.isLinked),
    createdAt: toIso(row.createdAt),
  };
}
