// better-auth's tables (core, organization with teams, admin, twoFactor, database rate limits) and access grants.
// A test compares the former with better-auth's own migration check.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createAccounts(db: Executor, dialect: DialectName): Promise<void> {
  const { text, authDate: date, authBoolean: boolean, int8 } = columnTypes(dialect);

  await db.schema
    .createTable('user')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('email', text, (c) => c.notNull().unique())
    .addColumn('emailVerified', boolean, (c) => c.notNull())
    .addColumn('image', text)
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('updatedAt', date, (c) => c.notNull())
    .addColumn('role', text)
    .addColumn('banned', boolean)
    .addColumn('banReason', text)
    .addColumn('banExpires', date)
    .addColumn('twoFactorEnabled', boolean)
    .execute();

  await db.schema
    .createTable('session')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('expiresAt', date, (c) => c.notNull())
    .addColumn('token', text, (c) => c.notNull().unique())
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('updatedAt', date, (c) => c.notNull())
    .addColumn('ipAddress', text)
    .addColumn('userAgent', text)
    .addColumn('userId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .addColumn('activeOrganizationId', text)
    .addColumn('activeTeamId', text)
    .addColumn('impersonatedBy', text)
    .execute();

  await db.schema
    .createTable('account')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('accountId', text, (c) => c.notNull())
    .addColumn('providerId', text, (c) => c.notNull())
    .addColumn('userId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .addColumn('accessToken', text)
    .addColumn('refreshToken', text)
    .addColumn('idToken', text)
    .addColumn('accessTokenExpiresAt', date)
    .addColumn('refreshTokenExpiresAt', date)
    .addColumn('scope', text)
    .addColumn('password', text)
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('updatedAt', date, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('verification')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('identifier', text, (c) => c.notNull())
    .addColumn('value', text, (c) => c.notNull())
    .addColumn('expiresAt', date, (c) => c.notNull())
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('updatedAt', date, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('organization')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('slug', text, (c) => c.notNull().unique())
    .addColumn('logo', text)
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('metadata', text)
    .execute();

  await db.schema
    .createTable('team')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('memberCount', 'integer', (c) => c.notNull())
    .addColumn('organizationId', text, (c) => c.notNull().references('organization.id').onDelete('cascade'))
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('updatedAt', date)
    .addColumn('slug', text, (c) => c.notNull())
    .addUniqueConstraint('team_slug_unique', ['organizationId', 'slug'])
    .execute();

  await db.schema
    .createTable('teamMember')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('teamId', text, (c) => c.notNull().references('team.id').onDelete('cascade'))
    .addColumn('userId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .addColumn('membershipKey', text, (c) => c.unique())
    .addColumn('createdAt', date)
    .execute();

  await db.schema
    .createTable('member')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('organizationId', text, (c) => c.notNull().references('organization.id').onDelete('cascade'))
    .addColumn('userId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .addColumn('role', text, (c) => c.notNull())
    .addColumn('createdAt', date, (c) => c.notNull())
    .addUniqueConstraint('member_unique', ['organizationId', 'userId'])
    .execute();

  await db.schema
    .createTable('invitation')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('organizationId', text, (c) => c.notNull().references('organization.id').onDelete('cascade'))
    .addColumn('email', text, (c) => c.notNull())
    .addColumn('role', text)
    .addColumn('teamId', text)
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('expiresAt', date, (c) => c.notNull())
    .addColumn('createdAt', date, (c) => c.notNull())
    .addColumn('inviterId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .execute();

  await db.schema
    .createTable('twoFactor')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('secret', text, (c) => c.notNull())
    .addColumn('backupCodes', text, (c) => c.notNull())
    .addColumn('userId', text, (c) => c.notNull().references('user.id').onDelete('cascade'))
    .addColumn('verified', boolean)
    .addColumn('failedVerificationCount', 'integer')
    .addColumn('lockedUntil', date)
    .execute();

  await db.schema
    .createTable('rateLimit')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('key', text, (c) => c.notNull().unique())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addColumn('lastRequest', int8, (c) => c.notNull())
    .execute();

  const indexes: [table: string, column: string][] = [
    ['session', 'userId'],
    ['account', 'userId'],
    ['verification', 'identifier'],
    ['team', 'organizationId'],
    ['teamMember', 'teamId'],
    ['teamMember', 'userId'],
    ['member', 'organizationId'],
    ['member', 'userId'],
    ['invitation', 'organizationId'],
    ['invitation', 'email'],
    ['twoFactor', 'secret'],
    ['twoFactor', 'userId'],
  ];
  for (const [table, column] of indexes)
    await db.schema.createIndex(`${table}_${column}_idx`).on(table).column(column).execute();

  await db.schema
    .createTable('access_grants')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('account_type', text, (c) => c.notNull())
    .addColumn('account_id', text, (c) => c.notNull())
    .addColumn('account_name', text)
    .addColumn('department', text, (c) => c.notNull())
    .addColumn('granted_by', text, (c) => c.notNull())
    .addColumn('granted_at', text, (c) => c.notNull())
    .addUniqueConstraint('access_grants_account_unique', ['account_type', 'account_id', 'department'])
    .execute();
}
