import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import {
  ADMIN,
  auditOf,
  createAccountsApp,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`users, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
    });
    after(() => it.close());

    const own = async () => ((await admin.get('/session')).body['user'] as { id: string }).id;

    test('a superadmin creates a user, who can sign in and is not a superadmin', async () => {
      const { status, body } = await admin.send('POST', '/users', {
        email: ' Ada@Example.org'.trim(),
        name: ' Ada ',
        password: PASSWORD,
      });
      assert.equal(status, 201);
      assert.deepEqual(
        { ...body, id: '', createdAt: '' },
        {
          id: '',
          createdAt: '',
          email: 'ada@example.org',
          emailVerified: true,
          name: 'Ada',
          isAdmin: false,
          disabled: false,
          linked: false,
        },
      );
      assert.match(String(body['createdAt']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const { body: session } = await (await it.signIn('ada@example.org')).get('/session');
      assert.deepEqual([session['isAdmin'], (session['user'] as { id: string }).id], [false, body['id']]);
      assert.deepEqual((await admin.get(`/users/${String(body['id'])}`)).body, { ...body, organizations: [] });
    });

    test('an address is unique, regardless of case', async () => {
      await createUser(admin, 'twin@example.org');
      const { status, body } = await admin.send('POST', '/users', {
        email: 'TWIN@example.org',
        name: 'Twin',
        password: PASSWORD,
      });
      assert.deepEqual([status, body['code']], [409, 'email_taken']);
    });

    test('fields that could not be used to sign in are refused', async () => {
      const user = { email: 'x@example.org', name: 'X', password: PASSWORD };
      const wrong = [
        { email: 'x' },
        { email: 'x@example.c' },
        { email: 'x@.org' },
        { email: 'é@example.org' },
        { password: '7 chars' },
        { password: 'x'.repeat(129) },
        { name: ' ' },
        { name: 'a\0b' },
        { name: 'two\nlines' },
        { name: '' },
        { role: 'admin' },
        { isAdmin: 'yes' },
      ];
      for (const change of wrong) {
        const { status, body } = await admin.send('POST', '/users', { ...user, ...change });
        assert.deepEqual([status, body['code']], [400, 'request_invalid'], JSON.stringify(change));
      }
    });

    test('every accepted address can sign in', async () => {
      for (const email of ["o'neil@example.org", 'a.b+c_d-e@sub.example.co', 'root@intranet', 'me@127-0-0-1.nip.io']) {
        await createUser(admin, email);
        await it.signIn(email);
      }
    });

    test('the list is sorted by address, searched by word and paged', async () => {
      for (const email of ['zoe@list.example', 'yan_x@list.example', 'xavier@list.example'])
        await createUser(admin, email, { name: `${email[0]} of the Éluded List` });
      const emails = async (query: string) => {
        const { body } = await admin.get(`/users?${query}`);
        return [body['count'], (body['results'] as { email: string }[]).map(({ email }) => email)];
      };
      assert.deepEqual(await emails('q=list.example'), [
        3,
        ['xavier@list.example', 'yan_x@list.example', 'zoe@list.example'],
      ]);
      assert.deepEqual(await emails('q=LIST+zoe'), [1, ['zoe@list.example']]);
      assert.deepEqual(await emails('q=n_x'), [1, ['yan_x@list.example']]);
      assert.deepEqual(await emails('q=%25list'), [0, []]);
      assert.deepEqual(await emails(`q=zoe+${encodeURIComponent('éluded')}`), [1, ['zoe@list.example']]);
      assert.deepEqual(await emails('q=list.example&skip=1&size=1'), [3, ['yan_x@list.example']]);
      assert.deepEqual(await emails('q=list.example&size=0'), [3, []]);
      assert.equal((await admin.get('/users?size=5000')).status, 200);
      assert.equal((await admin.get('/users?colour=blue')).body['code'], 'request_invalid');
    });

    test('disabling a user ends their sessions and blocks sign-in until enabled', async () => {
      const id = await createUser(admin, 'onoff@example.org');
      const browser = await it.signIn('onoff@example.org');
      assert.equal((await admin.send('PATCH', `/users/${id}`, { disabled: true })).body['disabled'], true);
      assert.equal((await browser.get('/session')).body['kind'], 'anonymous');
      await assert.rejects(it.signIn('onoff@example.org'), /BANNED_USER/);
      assert.equal((await admin.send('PATCH', `/users/${id}`, { disabled: false })).body['disabled'], false);
      assert.equal((await browser.get('/session')).body['kind'], 'anonymous');
      await it.signIn('onoff@example.org');
    });

    test('a new password replaces the old one and ends the sessions', async () => {
      const id = await createUser(admin, 'forgot@example.org');
      const browser = await it.signIn('forgot@example.org');
      await admin.send('PATCH', `/users/${id}`, { password: 'a third mate 3', name: 'Forgot' });
      assert.equal((await browser.get('/session')).body['kind'], 'anonymous');
      await assert.rejects(it.signIn('forgot@example.org'), /INVALID_EMAIL_OR_PASSWORD/);
      const { body } = await (await it.signIn('forgot@example.org', 'a third mate 3')).get('/session');
      assert.equal((body['user'] as { name: string }).name, 'Forgot');
    });

    test('a superadmin who sets their own password keeps only the current session', async () => {
      const elsewhere = await it.admin();
      await admin.send('PATCH', `/users/${await own()}`, { password: ADMIN.password });
      assert.deepEqual(
        [(await admin.get('/session')).body['kind'], (await elsewhere.get('/session')).body['kind']],
        ['user', 'anonymous'],
      );
    });

    test('appointing and dismissing a superadmin takes effect at once', async () => {
      const id = await createUser(admin, 'second@example.org');
      const browser = await it.signIn('second@example.org');
      assert.equal((await browser.get('/users')).status, 403);
      await admin.send('PATCH', `/users/${id}`, { isAdmin: true });
      assert.equal((await browser.get('/users')).status, 200);
      await admin.send('PATCH', `/users/${id}`, { isAdmin: false });
      assert.equal((await browser.get('/users')).status, 403);
    });

    test('the last superadmin who can sign in cannot be dismissed, disabled or deleted', async () => {
      const id = await own();
      const other = await createUser(admin, 'disabled-admin@example.org', { isAdmin: true });
      await admin.send('PATCH', `/users/${other}`, { disabled: true });
      for (const { status, body } of [
        await admin.send('PATCH', `/users/${id}`, { isAdmin: false }),
        await admin.send('PATCH', `/users/${id}`, { disabled: true }),
        await admin.send('DELETE', `/users/${id}`),
      ])
        assert.deepEqual([status, body['code']], [409, 'last_superadmin']);
      assert.equal((await admin.send('PATCH', `/users/${id}`, { isAdmin: true, disabled: false })).status, 200);
      assert.equal((await admin.send('DELETE', `/users/${other}`)).status, 204);
    });

    test('when two superadmins dismiss each other concurrently, one remains', async () => {
      const rival = await createUser(admin, 'rival@example.org', { isAdmin: true });
      const rivals = await it.signIn('rival@example.org');
      const id = await own();
      const answers = await Promise.all([
        admin.send('PATCH', `/users/${rival}`, { isAdmin: false }),
        rivals.send('PATCH', `/users/${id}`, { isAdmin: false }),
      ]);
      const remaining = await it.database.db.selectFrom('user').select('id').where('role', '=', 'admin').execute();
      assert.equal(remaining.length, 1, JSON.stringify(answers.map(({ status, body }) => [status, body['code']])));
      await it.database.db.updateTable('user').set({ role: 'admin' }).where('id', '=', id).execute();
      await admin.send('DELETE', `/users/${rival}`);
    });

    test('deleting a user deletes their sessions, memberships and grant', async () => {
      const id = await createUser(admin, 'leaver@example.org');
      await admin.send('POST', '/organizations', { id: 'crew', name: 'Crew' });
      await admin.send('PUT', `/organizations/crew/members/${id}`, { role: 'member' });
      await admin.send('POST', '/access-grants', { account: { type: 'user', id } });
      const browser = await it.signIn('leaver@example.org');
      assert.equal((await admin.send('DELETE', `/users/${id}`)).status, 204);
      assert.equal((await browser.get('/session')).body['kind'], 'anonymous');
      await assert.rejects(it.signIn('leaver@example.org'), /INVALID_EMAIL_OR_PASSWORD/);
      assert.equal(await it.accounts.hasGrant({ type: 'user', id }), false);
      const { body } = await admin.get('/organizations/crew');
      assert.deepEqual(
        (body['members'] as { user: { email: string } }[]).map(({ user }) => user.email),
        [ADMIN.email],
      );
    });

    test('an unknown user is not found, and an empty change is refused', async () => {
      for (const { status, body } of [
        await admin.get('/users/nobody'),
        await admin.send('PATCH', '/users/nobody', { name: 'N' }),
        await admin.send('DELETE', '/users/nobody'),
      ]) {
        assert.deepEqual([status, body['code']], [404, 'user_not_found']);
      }
      assert.equal((await admin.send('PATCH', '/users/nobody', {})).body['code'], 'request_invalid');
      assert.equal((await admin.get('/users?q=%00')).status, 200);
    });

    test('every change is audited, without passwords', async () => {
      await it.database.db.deleteFrom('audit_events').execute();
      const id = await createUser(admin, 'trace@example.org');
      await admin.send('PATCH', `/users/${id}`, { password: 'a third mate 3', isAdmin: true });
      await admin.send('DELETE', `/users/${id}`);
      await admin.send('DELETE', `/users/${id}`);
      const events = await auditOf(it.database);
      assert.deepEqual(
        events.map(({ action, target_id, details }) => [action, target_id, JSON.parse(details ?? '{}') as unknown]),
        [
          ['user.create', id, { email: 'trace@example.org', isAdmin: false }],
          ['user.update', id, { isAdmin: true, password: 'set' }],
          ['user.delete', id, { email: 'trace@example.org' }],
        ],
      );
      assert.ok(events.every(({ actor_name, request_id }) => actor_name === 'Administrator' && request_id !== ''));
    });

    test('an anonymous caller gets 401', async () => {
      const stranger = createBrowser(it.app);
      for (const { status, body } of [
        await stranger.get('/users'),
        await stranger.get('/users/x'),
        await stranger.send('DELETE', '/users/x'),
      ])
        assert.deepEqual([status, body['code']], [401, 'unauthenticated']);
    });
  });
}
