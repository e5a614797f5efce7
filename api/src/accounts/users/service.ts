// Users of this registry, managed by superadmins. organizations/ manages their memberships.

import { Value } from 'typebox/value';
import { enforce, policy, type Account, type Actor, type Caller } from '../../access/index.ts';
import { appendAudit } from '../../audit/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { EmailInvalidError, EmailTakenError, LastSuperadminError, UserNotFoundError } from '../errors.ts';
import { isSuperadmin, normalizeEmail, passwordLink, toIso } from '../operations.ts';
import { generatePassword, type PasswordHashing } from '../password.ts';
import { EmailSchema, type Page, type PageQuery } from '../schemas.ts';
import { accountRoleOf } from '../sessions/operations.ts';
import { listMemberships } from '../sessions/repository.ts';
import {
  deleteSessionsOf,
  deleteUser,
  findUser,
  insertUser,
  listUsers,
  lockUsersAndCheckEmpty,
  lockSuperadmins,
  updateUser,
  writePassword,
  type UserRow,
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
  /** Deletes a user with their sessions, memberships and access grant. @throws user_not_found, last_superadmin */
  remove(actor: Actor, id: string): Promise<void>;
  /**
   * Creates the first superadmin; undefined if any user exists. Safe to call from several replicas at once.
   * @throws email_invalid
   */
  createFirstSuperadmin(admin: { email: string; password?: string | undefined }): Promise<FirstSuperadmin | undefined>;
}

/** `password` is set only if it was generated; show it once. */
export interface FirstSuperadmin {
  email: string;
  password?: string;
}

export interface UserServiceOptions {
  database: Database;
  /** Called in the transaction that deletes an account; deletes what else it owned. */
  onAccountDeleted: (tx: Tx, account: Account) => Promise<void>;
  publicUrl: string;
  passwords: PasswordHashing;
  /** Lifts the block on sign-in after too many failures. */
  resetFailedSignIns: (email: string) => Promise<void>;
  createResetToken: (userId: string) => Promise<{ token: string; expiresAt: Date }>;
}

const FIRST_SUPERADMIN_NAME = 'Administrator';
/** Actor of changes at the first start. */
const SYSTEM_ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

export function createUserService({
  database,
  onAccountDeleted,
  publicUrl,
  passwords,
  resetFailedSignIns,
  createResetToken,
}: UserServiceOptions): UserService {
  const assertNotLastSuperadmin = async (tx: Tx, id: string): Promise<void> => {
    const superadmins = await lockSuperadmins(tx, database.dialect);
    if (superadmins.length === 1 && superadmins[0] === id)
      throw new LastSuperadminError('This is the last superadmin who can sign in: appoint another one first.');
  };
  return {
    async create(actor, { email, name, password, isAdmin = false }) {
      enforce(policy.manageAccounts(actor.caller));
      const passwordHash = await passwords.hash(password);
      return database.transaction(async (tx) => {
        const row = await insertUser(tx, { email: normalizeEmail(email), name: name.trim(), isAdmin, passwordHash });
        if (!row) throw new EmailTakenError('A user with this e-mail address already exists.');
        await appendAudit(tx, actor, {
          action: 'user.create',
          targetType: 'user',
          targetId: row.id,
          details: { email: row.email, isAdmin },
        });
        return toUser(row);
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
      const user = await database.transaction(async (tx) => {
        if (changes.disabled === true || changes.isAdmin === false) await assertNotLastSuperadmin(tx, id);
        const row = requireUser(await updateUser(tx, id, { ...changes, name: changes.name?.trim() }));
        if (passwordHash !== undefined) await writePassword(tx, id, passwordHash);
        if (passwordHash !== undefined || changes.disabled === true)
          await deleteSessionsOf(tx, id, sessionIdOf(actor.caller));
        await appendAudit(tx, actor, {
          action: 'user.update',
          targetType: 'user',
          targetId: id,
          details: { ...changes, ...(passwordHash !== undefined && { password: 'set' }) },
        });
        return toUser(row);
      });
      if (passwordHash !== undefined) await resetFailedSignIns(user.email);
      return user;
    },

    async createPasswordLink(actor, id) {
      enforce(policy.manageAccounts(actor.caller));
      requireUser(await findUser(database.db, id));
      const { token, expiresAt } = await createResetToken(id);
      await appendAudit(database.db, actor, {
        action: 'user.make-password-link',
        targetType: 'user',
        targetId: id,
        details: { expiresAt },
      });
      return { url: passwordLink(publicUrl, token), expiresAt: toIso(expiresAt) };
    },

    async remove(actor, id) {
      enforce(policy.manageAccounts(actor.caller));
      await database.transaction(async (tx) => {
        await assertNotLastSuperadmin(tx, id);
        const row = requireUser(await deleteUser(tx, id));
        await onAccountDeleted(tx, { type: 'user', id });
        await appendAudit(tx, actor, {
          action: 'user.delete',
          targetType: 'user',
          targetId: id,
          details: { email: row.email },
        });
      });
    },

    async createFirstSuperadmin({ email, password }) {
      if (await hasUsers(database)) return undefined;
      if (!Value.Check(EmailSchema, normalizeEmail(email)))
        throw new EmailInvalidError(
          `The first superadmin cannot sign in with ${email}: use an e-mail address such as admin@example.org.`,
        );
      const generated = password === undefined ? generatePassword() : undefined;
      const passwordHash = await passwords.hash(password ?? generated ?? '');
      return database.transaction(async (tx) => {
        if (!(await lockUsersAndCheckEmpty(tx, database.dialect))) return undefined;
        const row = await insertUser(tx, {
          email: normalizeEmail(email),
          name: FIRST_SUPERADMIN_NAME,
          isAdmin: true,
          passwordHash,
        });
        if (!row) return undefined;
        await appendAudit(tx, SYSTEM_ACTOR, {
          action: 'user.create',
          targetType: 'user',
          targetId: row.id,
          details: { email: row.email, isAdmin: true, first: true },
        });
        return { email: row.email, ...(generated !== undefined && { password: generated }) };
      });
    },
  };
}

async function hasUsers({ db }: Database): Promise<boolean> {
  return (await listUsers(db, { size: 0 })).count > 0;
}

function requireUser(row: UserRow | undefined): UserRow {
  if (!row) throw new UserNotFoundError('No user has this ID.');
  return row;
}

function sessionIdOf(caller: Caller): string | undefined {
  return caller.kind === 'user' ? caller.sessionId : undefined;
}

function toUser(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    isAdmin: isSuperadmin(row.role),
    disabled: Boolean(row.banned),
    createdAt: toIso(row.createdAt),
  };
}
