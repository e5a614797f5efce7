import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createMailer } from '../../src/mail/index.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  createAccountsApp,
  createAcme,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`invitations, on ${dialect}`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    let admin: Browser;
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, { mailer: createMailer({ url: mail.url, from: 'berth@example.org' }) });
      admin = await it.admin();
      await createAcme(admin);
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });

    const invite = async (email: string, more: object = {}) =>
      (await admin.send('POST', '/organizations/acme/invitations', { email, role: 'member', ...more })).body as {
        id: string;
        url: string;
        mailed: boolean;
        code?: string;
      };
    const pending = async () =>
      ((await admin.get('/organizations/acme/invitations')).body['results'] as { email: string }[]).map(
        ({ email }) => email,
      );

    test('create a new user and member from the link, once', async () => {
      const { id, url, mailed } = await invite('New@acme.example', { role: 'admin', department: 'sea' });
      assert.deepEqual(
        [mailed, mail.mails.at(-1)?.to, mail.mails.at(-1)?.text.includes(url)],
        [true, ['new@acme.example'], true],
      );
      assert.deepEqual(await pending(), ['new@acme.example']);
      const stranger = createBrowser(it.app);
      const { body: shown } = await stranger.get(`/invitations/${id}`);
      assert.partialDeepStrictEqual(shown, {
        email: 'new@acme.example',
        role: 'admin',
        department: 'sea',
        organization: { id: 'acme', name: 'Acme' },
        hasUser: false,
      });
      const incomplete = await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New' });
      assert.deepEqual([incomplete.status, incomplete.body['code']], [400, 'invitation_fields_invalid']);
      assert.equal(
        (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New', password: PASSWORD })).status,
        200,
      );
      const session = (await (await it.signIn('new@acme.example')).get('/session')).body;
      assert.deepEqual(
        (session['accounts'] as { id: string; department?: string; role: string }[])
          .slice(1)
          .map(({ id: account, department, role }) => [account, department, role]),
        [
          ['acme', undefined, 'admin'],
          ['acme', 'geo', 'admin'],
          ['acme', 'sea', 'admin'],
        ],
      );
      assert.deepEqual(
        [
          (await stranger.get(`/invitations/${id}`)).status,
          (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New', password: PASSWORD })).status,
        ],
        [404, 404],
      );
      assert.deepEqual(await pending(), []);
    });

    test('add an existing user only when signed in as that user', async () => {
      await createUser(admin, 'known@example.org');
      const { id } = await invite('known@example.org');
      const stranger = createBrowser(it.app);
      assert.equal((await stranger.get(`/invitations/${id}`)).body['hasUser'], true);
      assert.equal(
        (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'Thief', password: PASSWORD })).body['code'],
        'unauthenticated',
      );
      assert.equal(
        (await (await it.signIn('mate@acme.example')).send('POST', `/invitations/${id}/accept`, {})).body['code'],
        'invitation_for_another',
      );
      const known = await it.signIn('known@example.org');
      assert.equal((await known.send('POST', `/invitations/${id}/accept`, {})).status, 200);
      assert.equal(((await known.get('/session')).body['accounts'] as object[]).length, 2);
    });

    test('can be cancelled, are replaced by a new one, and expire after a week', async () => {
      const first = await invite('late@example.org');
      const second = await invite('late@example.org');
      assert.deepEqual(await pending(), ['late@example.org']);
      const stranger = createBrowser(it.app);
      assert.equal((await stranger.get(`/invitations/${first.id}`)).status, 404);
      await it.database.db
        .updateTable('invitation')
        .set({ expiresAt: new Date(Date.now() - 1000) })
        .where('id', '=', second.id)
        .execute();
      assert.equal(
        (await stranger.send('POST', `/invitations/${second.id}/accept`, { name: 'Late', password: PASSWORD })).status,
        404,
      );
      const third = await invite('late@example.org');
      assert.equal((await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).status, 204);
      assert.equal((await stranger.get(`/invitations/${third.id}`)).status, 404);
      assert.equal(
        (await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).body['code'],
        'invitation_not_found',
      );
    });

    test('report errors, and are created even if no mail can be sent', async () => {
      assert.equal((await invite('a@example.org', { department: 'nowhere' })).code, 'department_not_found');
      assert.equal((await invite('nobody')).code, 'request_invalid');
      assert.equal(
        (await admin.send('POST', '/organizations/nowhere/invitations', { email: 'a@example.org', role: 'member' }))
          .body['code'],
        'organization_not_found',
      );
      assert.equal((await admin.get('/organizations/nowhere/invitations')).status, 404);
      mail.full = true;
      assert.equal((await invite('unmailed@example.org')).mailed, false);
      const mate = await it.signIn('mate@acme.example');
      for (const [method, path] of [
        ['POST', '/organizations/acme/invitations'],
        ['DELETE', '/organizations/acme/invitations/x'],
      ] as const) {
        assert.equal(
          (await mate.send(method, path, method === 'POST' ? { email: 'a@example.org', role: 'member' } : undefined))
            .status,
          403,
        );
      }
    });
  });
}
