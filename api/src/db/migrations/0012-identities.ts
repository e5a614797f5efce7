// Proved addresses, identities of OpenID providers by issuer and subject, and hashed tokens.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createIdentities(db: Executor, dialect: DialectName): Promise<void> {
  const { authBoolean } = columnTypes(dialect);
  const no = sql.lit(dialect === 'postgres' ? false : 0);

  // Their links hold what the tables stored, and nobody knows who saw them.
  await sql`delete from invitation`.execute(db);
  await sql`delete from verification`.execute(db);
  await db.schema
    .alterTable('invitation')
    .addColumn('mailed', authBoolean, (c) => c.notNull().defaultTo(no))
    .execute();

  // The issuer was not stored.
  await sql`update account set "accountId" = 'unknown ' || "accountId" where "providerId" = 'oidc'`.execute(db);
  await sql`delete from account where id not in
    (select min(id) from account group by "providerId", "accountId")`.execute(db);
  await sql`update account set "accessToken" = null, "refreshToken" = null`.execute(db);
  await db.schema
    .createIndex('account_key_unique')
    .on('account')
    .columns(['providerId', 'accountId'])
    .unique()
    .execute();

  await markProvedAddresses(db, dialect);
}

/**
 * Marks the addresses that superadmins gave to users. Those of invitations, whose links were shown to others, are not
 * proved, even if a provider's user was linked since.
 */
async function markProvedAddresses(db: Executor, dialect: DialectName): Promise<void> {
  const { rows } = await sql<{ userId: string; email: string; details: string | null }>`
    select u.id as "userId", u.email, e.details from audit_events e join "user" u on u.id = e.target_id
    where e.action = 'user.create' and e.target_type = 'user'`.execute(db);
  for (const { userId, email, details } of rows) {
    const created = JSON.parse(details ?? '{}') as { email?: string; by?: string };
    const isProved = created.by === undefined && created.email === email;
    if (!isProved && created.by !== 'invitation') continue;
    const flag = sql.lit(dialect === 'postgres' ? isProved : Number(isProved));
    await sql`update "user" set "emailVerified" = ${flag} where id = ${userId}`.execute(db);
  }
}
