// Users in better-auth's tables and format: `role` is admin for superadmins, `banned` means disabled, and the password
// belongs to an account of the provider `credential`.

import { randomUUID } from 'node:crypto';
import { sql, type ExpressionBuilder } from 'kysely';
import type { DialectName, Executor, Schema, Tx } from '../../db/index.ts';
import { OIDC_PROVIDER_ID, pageBounds, searchPatterns } from '../operations.ts';
import type { Page, PageQuery } from '../schemas.ts';

const COLUMNS = ['id', 'email', 'emailVerified', 'name', 'role', 'banned', 'createdAt'] as const;
export type UserRow = Pick<Schema['user'], (typeof COLUMNS)[number]>;
/** A user, and whether they sign in through the OpenID provider. */
export type UserListRow = UserRow & { isLinked: number | boolean };

const ADMIN_ROLE = 'admin';
const USER_ROLE = 'user';

/** Inserts a user; undefined if the address is already in use. @param user.isProved see `emailVerified` */
export async function insertUser(
  executor: Executor,
  user: { email: string; name: string; isAdmin: boolean; isProved: boolean; passwordHash?: string | undefined },
): Promise<UserRow | undefined> {
  const now = new Date();
  const row = await executor
    .insertInto('user')
    .values({
      id: randomUUID(),
      email: user.email,
      name: user.name,
      role: roleOf(user.isAdmin),
      emailVerified: user.isProved,
      banned: false,
      twoFactorEnabled: false,
      createdAt: now,
      updatedAt: now,
    })
    .onConflict((conflict) => conflict.column('email').doNothing())
    .returning(COLUMNS)
    .executeTakeFirst();
  if (row && user.passwordHash !== undefined) await writePassword(executor, row.id, user.passwordHash);
  return row;
}

export function findUser(executor: Executor, id: string): Promise<UserListRow | undefined> {
  return executor.selectFrom('user').select(COLUMNS).select(isLinked).where('id', '=', id).executeTakeFirst();
}

export function findUserByEmail(executor: Executor, email: string): Promise<UserRow | undefined> {
  return executor.selectFrom('user').select(COLUMNS).where('email', '=', email).executeTakeFirst();
}

/** Finds a user and locks their row until the transaction ends. */
export function lockUserByEmail(tx: Tx, dialect: DialectName, email: string): Promise<UserRow | undefined> {
  return tx
    .selectFrom('user')
    .select(COLUMNS)
    .where('email', '=', email)
    .$if(dialect === 'postgres', (query) => query.forUpdate())
    .executeTakeFirst();
}

export async function listUsers(executor: Executor, query: PageQuery): Promise<Page<UserListRow>> {
  let matching = executor.selectFrom('user');
  for (const pattern of searchPatterns(query.q))
    matching = matching.where(sql<boolean>`lower(name || ' ' || email) like ${pattern} escape '\\'`);
  const { offset, limit } = pageBounds(query);
  const results = await matching
    .select(COLUMNS)
    .select(isLinked)
    .orderBy('email')
    .limit(limit)
    .offset(offset)
    .execute();
  const { count } = await matching.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return { results, count };
}

export function updateUser(
  executor: Executor,
  id: string,
  changes: {
    name?: string | undefined;
    email?: string | undefined;
    emailVerified?: boolean | undefined;
    isAdmin?: boolean | undefined;
    disabled?: boolean | undefined;
  },
): Promise<UserRow | undefined> {
  return executor
    .updateTable('user')
    .set({
      updatedAt: new Date(),
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.email !== undefined && { email: changes.email }),
      ...(changes.emailVerified !== undefined && { emailVerified: changes.emailVerified }),
      ...(changes.isAdmin !== undefined && { role: roleOf(changes.isAdmin) }),
      ...(changes.disabled !== undefined && { banned: changes.disabled, banReason: null, banExpires: null }),
    })
    .where('id', '=', id)
    .returning(COLUMNS)
    .executeTakeFirst();
}

/** Sets the password of a user, with or without an existing one. */
export async function writePassword(executor: Executor, userId: string, passwordHash: string): Promise<void> {
  const now = new Date();
  const updated = await executor
    .updateTable('account')
    .set({ password: passwordHash, updatedAt: now })
    .where('userId', '=', userId)
    .where('providerId', '=', 'credential')
    .returning('id')
    .executeTakeFirst();
  if (updated) return;
  await executor
    .insertInto('account')
    .values({
      id: randomUUID(),
      accountId: userId,
      providerId: 'credential',
      userId,
      password: passwordHash,
      createdAt: now,
      updatedAt: now,
    })
    .execute();
}

/** Ends the sessions of a user except the given one. */
export async function deleteSessionsOf(executor: Executor, userId: string, exceptSessionId = ''): Promise<void> {
  await executor.deleteFrom('session').where('userId', '=', userId).where('id', '<>', exceptSessionId).execute();
}

/** Deletes a user; sessions, passwords and memberships follow through ON DELETE CASCADE. */
export function deleteUser(executor: Executor, id: string): Promise<UserRow | undefined> {
  return executor.deleteFrom('user').where('id', '=', id).returning(COLUMNS).executeTakeFirst();
}

/** Lists the addresses of the superadmins who can sign in. */
export async function listSuperadminEmails(executor: Executor): Promise<string[]> {
  const rows = await executor
    .selectFrom('user')
    .select('email')
    .where('role', '=', ADMIN_ROLE)
    .where((eb) => eb.or([eb('banned', 'is', null), eb('banned', '=', false)]))
    .orderBy('email')
    .execute();
  return rows.map(({ email }) => email);
}

/**
 * Lists the superadmins who can sign in, and locks their rows against changes until the transaction ends; in the order
 * of their IDs, so that two transactions that do so cannot deadlock.
 */
export async function lockSuperadmins(tx: Tx, dialect: DialectName): Promise<string[]> {
  const rows = await tx
    .selectFrom('user')
    .select('id')
    .where('role', '=', ADMIN_ROLE)
    .where((eb) => eb.or([eb('banned', 'is', null), eb('banned', '=', false)]))
    .orderBy('id')
    .$if(dialect === 'postgres', (query) => query.forNoKeyUpdate())
    .execute();
  return rows.map(({ id }) => id);
}

/** Locks the table against new users and changed addresses until the transaction ends. */
export async function lockUsers(tx: Tx, dialect: DialectName): Promise<void> {
  if (dialect === 'postgres') await sql`lock table "user" in share row exclusive mode`.execute(tx);
}

/** Locks the table against new users until the transaction ends, and tells whether it is empty. */
export async function lockUsersAndCheckEmpty(tx: Tx, dialect: DialectName): Promise<boolean> {
  await lockUsers(tx, dialect);
  return (await tx.selectFrom('user').select('id').limit(1).executeTakeFirst()) === undefined;
}

function isLinked(eb: ExpressionBuilder<Schema, 'user'>) {
  return eb
    .exists(
      eb
        .selectFrom('account')
        .select('account.id')
        .whereRef('account.userId', '=', 'user.id')
        .where('account.providerId', '=', OIDC_PROVIDER_ID),
    )
    .as('isLinked');
}

function roleOf(isAdmin: boolean): string {
  return isAdmin ? ADMIN_ROLE : USER_ROLE;
}
