import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Account } from '../../src/access/index.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  ADMIN,
  auditOf,
  createAcme,
  createAccountsApp,
  createUser,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`organisations, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    const deleted: Account[] = [];
    let refuseDeletion = false;
    before(async () => {
      it = await createAccountsApp(dialect, {
        onAccountDeleted: [
          (_tx, _actor, account) => {
            deleted.push(account);
            return refuseDeletion ? Promise.reject(new Error('not now')) : Promise.resolve();
          },
        ],
      });
      admin = await it.admin();
    });
    after(() => it.close());

    const membersOf = async (id: string) =>
      (
        (await admin.get(`/organizations/${id}`)).body['members'] as {
          user: { email: string };
          role: string;
          departments: string[];
        }[]
      ).map(({ user, role, departments }) => [user.email, role, departments]);

    test('a superadmin creates one with a chosen ID and becomes its first admin', async () => {
      const { status, body } = await admin.send('POST', '/organizations', { id: 'Fleet_1.a', name: ' The Fleet ' });
      assert.equal(status, 201);
      assert.deepEqual({ ...body, createdAt: '' }, { id: 'Fleet_1.a', name: 'The Fleet', createdAt: '' });
      assert.deepEqual(await membersOf('Fleet_1.a'), [[ADMIN.email, 'admin', []]]);
      assert.deepEqual(
        (await admin.send('PUT', '/session/account', { type: 'organization', id: 'Fleet_1.a' })).body['accountRole'],
        'admin',
      );
    });

    test('an ID is unique, and refused if it is not valid in a path', async () => {
      await admin.send('POST', '/organizations', { id: 'once', name: 'Once' });
      assert.equal(
        (await admin.send('POST', '/organizations', { id: 'once', name: 'Twice' })).body['code'],
        'organization_exists',
      );
      for (const body of [
        { id: 'a/b', name: 'A' },
        { id: '', name: 'A' },
        { id: '.hidden', name: 'A' },
        { id: 'x'.repeat(129), name: 'A' },
        { id: 'a', name: ' ' },
        { name: 'A' },
        { id: 'a', name: 'A', slug: 'a' },
      ]) {
        assert.equal(
          (await admin.send('POST', '/organizations', body)).body['code'],
          'request_invalid',
          JSON.stringify(body),
        );
      }
    });

    test('organisations can be renamed, listed by name, searched and paged', async () => {
      for (const [id, name] of [
        ['o-2', 'Bravo Line'],
        ['o-1', 'Alpha Line'],
        ['o-3', 'Charlie'],
      ])
        await admin.send('POST', '/organizations', { id, name });
      assert.equal(
        (await admin.send('PATCH', '/organizations/o-3', { name: 'Charlie Line' })).body['name'],
        'Charlie Line',
      );
      const ids = async (query: string) => {
        const { body } = await admin.get(`/organizations?${query}`);
        return [body['count'], (body['results'] as { id: string }[]).map(({ id }) => id)];
      };
      assert.deepEqual(await ids('q=line'), [3, ['o-1', 'o-2', 'o-3']]);
      assert.deepEqual(await ids('q=line+o-2'), [1, ['o-2']]);
      assert.deepEqual(await ids('q=line&skip=2'), [3, ['o-3']]);
    });

    test('each change of a member replaces their role and departments', async () => {
      const { boss, mate, diver } = await createAcme(admin);
      assert.deepEqual((await admin.get('/organizations/acme')).body['departments'], [
        { id: 'geo', name: 'Geography' },
        { id: 'sea', name: 'Sea' },
      ]);
      assert.deepEqual(await membersOf('acme'), [
        [ADMIN.email, 'admin', []],
        ['boss@acme.example', 'admin', []],
        ['diver@acme.example', 'member', ['sea']],
        ['mate@acme.example', 'member', []],
      ]);
      const { status, body } = await admin.send('PUT', `/organizations/acme/members/${mate}`, {
        role: 'admin',
        departments: ['sea', 'geo'],
      });
      assert.deepEqual(
        [status, body],
        [
          200,
          { user: { id: mate, name: 'mate', email: 'mate@acme.example' }, role: 'admin', departments: ['geo', 'sea'] },
        ],
      );
      await admin.send('PUT', `/organizations/acme/members/${mate}`, { role: 'member' });
      await admin.send('DELETE', `/organizations/acme/members/${boss}`);
      assert.deepEqual((await membersOf('acme')).slice(1), [
        ['diver@acme.example', 'member', ['sea']],
        ['mate@acme.example', 'member', []],
      ]);
      assert.deepEqual((await admin.get(`/users/${diver}`)).body['organizations'], [
        { id: 'acme', name: 'Acme', role: 'member', departments: ['sea'] },
      ]);
    });

    test('the same call renames a department, and its members stay after its deletion', async () => {
      await admin.send('PUT', '/organizations/acme/departments/geo', { name: 'Maps' });
      assert.equal((await admin.send('DELETE', '/organizations/acme/departments/sea')).status, 204);
      assert.deepEqual((await admin.get('/organizations/acme')).body['departments'], [{ id: 'geo', name: 'Maps' }]);
      assert.ok(
        (await membersOf('acme')).some(
          ([email, , departments]) => email === 'diver@acme.example' && (departments as string[]).length === 0,
        ),
      );
    });

    test('departments of different organisations may have the same ID', async () => {
      const lodger = await createUser(admin, 'lodger@example.org');
      for (const id of ['north', 'south']) {
        await admin.send('POST', '/organizations', { id, name: id });
        assert.equal(
          (await admin.send('PUT', `/organizations/${id}/departments/port`, { name: `Port of ${id}` })).status,
          200,
        );
      }
      await admin.send('PUT', `/organizations/south/members/${lodger}`, { role: 'member', departments: ['port'] });
      assert.deepEqual((await membersOf('south')).at(-1), ['lodger@example.org', 'member', ['port']]);
      assert.deepEqual(await membersOf('north'), [[ADMIN.email, 'admin', []]]);
    });

    test('an error names the missing object, and nothing is changed', async () => {
      const user = await createUser(admin, 'candidate@example.org');
      const before = await membersOf('north');
      const answers: [string, { body: Record<string, unknown> }][] = [
        ['organization_not_found', await admin.get('/organizations/none')],
        ['organization_not_found', await admin.send('PATCH', '/organizations/none', { name: 'N' })],
        ['organization_not_found', await admin.send('DELETE', '/organizations/none')],
        ['organization_not_found', await admin.send('PUT', '/organizations/none/departments/a', { name: 'A' })],
        ['organization_not_found', await admin.send('PUT', `/organizations/none/members/${user}`, { role: 'member' })],
        ['user_not_found', await admin.send('PUT', '/organizations/north/members/nobody', { role: 'member' })],
        [
          'department_not_found',
          await admin.send('PUT', `/organizations/north/members/${user}`, {
            role: 'member',
            departments: ['port', 'geo'],
          }),
        ],
        ['department_not_found', await admin.send('DELETE', '/organizations/north/departments/geo')],
        ['member_not_found', await admin.send('DELETE', `/organizations/north/members/${user}`)],
        ['request_invalid', await admin.send('PUT', `/organizations/north/members/${user}`, { role: 'owner' })],
        ['request_invalid', await admin.send('PUT', '/organizations/north/departments/a%2Fb', { name: 'A' })],
      ];
      for (const [code, { body }] of answers) assert.equal(body['code'], code, JSON.stringify(body));
      assert.deepEqual(await membersOf('north'), before);
    });

    test('a deletion also deletes grants and what other slices hold, in one transaction', async () => {
      await admin.send('POST', '/organizations', { id: 'brief', name: 'Brief' });
      for (const id of ['a', 'b']) await admin.send('PUT', `/organizations/brief/departments/${id}`, { name: id });
      for (const department of [undefined, 'a', 'b'])
        await admin.send('POST', '/access-grants', {
          account: { type: 'organization', id: 'brief', ...(department && { department }) },
        });
      const granted = async () =>
        (
          await it.database.db
            .selectFrom('access_grants')
            .select('department')
            .where('account_id', '=', 'brief')
            .orderBy('department')
            .execute()
        ).map(({ department }) => department);
      deleted.length = 0;

      assert.equal((await admin.send('DELETE', '/organizations/brief/departments/a')).status, 204);
      assert.deepEqual(await granted(), ['', 'b']);
      refuseDeletion = true;
      assert.equal((await admin.send('DELETE', '/organizations/brief')).body['code'], 'internal_error');
      refuseDeletion = false;
      assert.deepEqual([(await admin.get('/organizations/brief')).status, await granted()], [200, ['', 'b']]);
      assert.equal((await admin.send('DELETE', '/organizations/brief')).status, 204);
      assert.deepEqual([(await admin.get('/organizations/brief')).status, await granted()], [404, []]);
      assert.deepEqual(deleted, [
        { type: 'organization', id: 'brief', department: 'a' },
        { type: 'organization', id: 'brief' },
        { type: 'organization', id: 'brief' },
      ]);
    });

    test('every change is audited', async () => {
      const id = await createUser(admin, 'traced@example.org');
      await it.database.db.deleteFrom('audit_events').execute();
      await admin.send('POST', '/organizations', { id: 'trace', name: 'Trace' });
      await admin.send('PATCH', '/organizations/trace', { name: 'Traced' });
      await admin.send('PUT', '/organizations/trace/departments/a', { name: 'A' });
      await admin.send('PUT', `/organizations/trace/members/${id}`, { role: 'member', departments: ['a'] });
      await admin.send('DELETE', `/organizations/trace/members/${id}`);
      await admin.send('DELETE', '/organizations/trace/departments/a');
      await admin.send('DELETE', '/organizations/trace');
      assert.deepEqual(
        (await auditOf(it.database)).map(({ action, target_id, details }) => [
          action,
          target_id,
          JSON.parse(details ?? 'null') as unknown,
        ]),
        [
          ['organization.create', 'trace', { name: 'Trace' }],
          ['organization.update', 'trace', { name: 'Traced' }],
          ['organization.save-department', 'trace', { department: { id: 'a', name: 'A' } }],
          ['organization.save-member', 'trace', { userId: id, role: 'member', departments: ['a'] }],
          ['organization.delete-member', 'trace', { userId: id }],
          ['organization.delete-department', 'trace', { department: 'a' }],
          ['organization.delete', 'trace', null],
        ],
      );
    });
  });
}
