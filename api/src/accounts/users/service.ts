// Users of this registry, made and managed by superadmins. Membership of organisations lives in organizations/.

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
  lockEmptyUsers,
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
   * Changes a user; disabling them and setting their password end their sessions, but never the one that asks.
   * @throws user_not_found, last_superadmin
   */
  update(actor: Actor, id: string, patch: UserPatch): Promise<User>;
  /**
   * Makes a link with which the user sets another password, once, within a day; their sessions end when they do.
   * @throws user_not_found
   */
  makePasswordLink(actor: Actor, id: string): Promise<PasswordLink>;
  /** Deletes a user with their sessions, memberships and access grant. @throws user_not_found, last_superadmin */
  remove(actor: Actor, id: string): Promise<void>;
  /**
   * Creates the first superadmin; undefined when there is any user already. Any number of replicas may try.
   * @throws email_invalid
   */
  createFirstSuperadmin(admin: { email: string; password?: string | undefined }): Promise<FirstSuperadmin | undefined>;
}

/** `password` is there when it was generated: tell it once. */
export interface FirstSuperadmin {
  email: string;
  password?: string;
}

export interface UserServiceOptions {
  database: Database;
  /** Removes what else belonged to an account, in the same transaction. */
  onAccountDeleted: (tx: Tx, account: Account) => Promise<void>;
  publicUrl: string;
  passwords: PasswordHashing;
  /** Lets somebody sign in again who had failed too often. */
  forgetFailures: (email: string) => Promise<void>;
  createResetToken: (userId: string) => Promise<{ token: string; expiresAt: Date }>;
}

const FIRST_SUPERADMIN_NAME = 'Administrator';
/** Who acts at the first start. */
const THE_REGISTRY: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

export function createUserService({
  database,
  onAccountDeleted,
  publicUrl,
  passwords,
  forgetFailures,
  createResetToken,
}: UserServiceOptions): UserService {
  const refuseLastSuperadmin = async (tx: Tx, id: string): Promise<void> => {
    const superadmins = await lockSuperadmins(tx, database.dialect);
    if (superadmins.length === 1 && superadmins[0] === id)
      throw new LastSuperadminError('This is the last superadmin who can sign in: make another one first.');
  };
  return {
    async create(actor, { email, name, password, isAdmin = false }) {
      enforce(policy.manageAccounts(actor.caller));
      const passwordHash = await passwords.hash(password);
      return database.transaction(async (tx) => {
        const row = await insertUser(tx, { email: normalizeEmail(email), name: name.trim(), isAdmin, passwordHash });
        if (!row) throw new EmailTakenError('There is a user with this e-mail address already.');
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
      return { ...toUser(known(await findUser(database.db, id))), organizations };
    },

    async update(actor, id, { password, ...changes }) {
      enforce(policy.manageAccounts(actor.caller));
      const passwordHash = password === undefined ? undefined : await passwords.hash(password);
      const user = await database.transaction(async (tx) => {
        if (changes.disabled === true || changes.isAdmin === false) await refuseLastSuperadmin(tx, id);
        const row = known(await updateUser(tx, id, { ...changes, name: changes.name?.trim() }));
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
      if (passwordHash !== undefined) await forgetFailures(user.email);
      return user;
    },

    async makePasswordLink(actor, id) {
      enforce(policy.manageAccounts(actor.caller));
      known(await findUser(database.db, id));
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
        await refuseLastSuperadmin(tx, id);
        const row = known(await deleteUser(tx, id));
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
      if (await findAnyUser(database)) return undefined;
      if (!Value.Check(EmailSchema, normalizeEmail(email)))
        throw new EmailInvalidError(
          `The first superadmin cannot sign in with ${email}: give an e-mail address such as admin@example.org.`,
        );
      const generated = password === undefined ? generatePassword() : undefined;
      const passwordHash = await passwords.hash(password ?? generated ?? '');
      return database.transaction(async (tx) => {
        if (!(await lockEmptyUsers(tx, database.dialect))) return undefined;
        const row = await insertUser(tx, {
          email: normalizeEmail(email),
          name: FIRST_SUPERADMIN_NAME,
          isAdmin: true,
          passwordHash,
        });
        if (!row) return undefined;
        await appendAudit(tx, THE_REGISTRY, {
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

async function findAnyUser({ db }: Database): Promise<boolean> {
  return (await listUsers(db, { size: 0 })).count > 0;
}

function known(row: UserRow | undefined): UserRow {
  if (!row) throw new UserNotFoundError('There is no user with this id.');
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
