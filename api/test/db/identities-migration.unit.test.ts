import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { migrate, type Database, type Schema } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const BEFORE = '0011-sync-error-codes';
const at = new Date();

/** Users by ID: the details of the event that records their creation, and whether they counted as proved before. */
const USERS: Record<string, { created?: object; was: boolean; becomes: boolean }> = {
  'first': { created: { isAdmin: true, first: true }, was: false, becomes: true },
  'made-by-superadmin': { created: { isAdmin: false }, was: false, becomes: true },
  'address-changed-since': { created: { isAdmin: false, email: 'before@example.org' }, was: false, becomes: false },
  'invited': { created: { isAdmin: false, by: 'invitation' }, was: false, becomes: false },
  'invited-then-linked': { created: { isAdmin: false, by: 'invitation' }, was: true, becomes: false },
  'verified-by-provider': { was: true, becomes: true },
  'unverified-by-provider': { was: false, becomes: false },
};

async function putUsers({ db }: Database): Promise<void> {
  for (const [id, { created, was }] of Object.entries(USERS)) {
    const email = `${id}@example.org`;
    const user = { id, name: id, email, emailVerified: was, createdAt: at, updatedAt: at };
    await db.insertInto('user').values(user).execute();
    if (created)
      await db
        .insertInto('audit_events')
        .values({
          id,
          at: at.toISOString(),
          actor_kind: 'internal',
          action: 'user.create',
          target_type: 'user',
          target_id: id,
          outcome: 'success',
          details: JSON.stringify({ email, ...created }),
        })
        .execute();
  }
}

async function putAccounts({ db }: Database): Promise<void> {
  const account = (id: string, fields: Partial<Schema['account']>) =>
    db
      .insertInto('account')
      .values({ id, accountId: id, providerId: 'oidc', userId: 'invited', createdAt: at, updatedAt: at, ...fields })
      .execute();
  await account('1', { accountId: 'sub', accessToken: 'secret', refreshToken: 'secret', idToken: 'id' });
  // Two sign-ins at once linked the same identity twice.
  await account('2', { accountId: 'sub' });
  await account('3', { accountId: 'invited', providerId: 'credential', password: 'hash' });
}

async function putTokens({ db }: Database): Promise<void> {
  await db.insertInto('organization').values({ id: 'acme', name: 'Acme', slug: 'acme', createdAt: at }).execute();
  const invitation = {
    id: 'the token itself',
    organizationId: 'acme',
    email: 'uma@example.org',
    status: 'pending',
    expiresAt: at,
    createdAt: at,
    inviterId: 'first',
  };
  await db
    .insertInto('invitation')
    .values(invitation as Schema['invitation'])
    .execute();
  await db
    .insertInto('verification')
    .values({
      id: '1',
      identifier: 'reset-password:secret',
      value: 'first',
      expiresAt: at,
      createdAt: at,
      updatedAt: at,
    })
    .execute();
}

for (const dialect of DIALECTS) {
  describe(`the migration of identities on ${dialect}`, () => {
    test('marks proved addresses, keeps identities without an issuer, and ends links', async () => {
      const { database, close } = await openTestDatabase(dialect, { migrated: false });
      await migrate(database, { upTo: BEFORE });
      await putUsers(database);
      await putAccounts(database);
      await putTokens(database);
      await migrate(database);
      const { db } = database;
      const users = await db.selectFrom('user').select(['id', 'emailVerified']).execute();
      assert.deepEqual(
        Object.fromEntries(users.map(({ id, emailVerified }) => [id, Boolean(emailVerified)])),
        Object.fromEntries(Object.entries(USERS).map(([id, { becomes }]) => [id, becomes])),
      );
      assert.deepEqual(
        (await db.selectFrom('account').selectAll().orderBy('id').execute()).map(
          ({ id, accountId, accessToken, refreshToken, idToken, password }) =>
            [id, accountId, accessToken, refreshToken, idToken, password] as const,
        ),
        [
          ['1', 'unknown sub', null, null, 'id', null],
          ['3', 'invited', null, null, null, 'hash'],
        ],
      );
      assert.deepEqual(await db.selectFrom('invitation').selectAll().execute(), []);
      assert.deepEqual(await db.selectFrom('verification').selectAll().execute(), []);
      await assert.rejects(
        db
          .insertInto('account')
          .values({
            id: '4',
            accountId: 'unknown sub',
            providerId: 'oidc',
            userId: 'first',
            createdAt: at,
            updatedAt: at,
          })
          .execute(),
        /unique/i,
      );
      await close();
    });
  });
}
