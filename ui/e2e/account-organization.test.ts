import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { signInAsNewUser, PASSWORD } from './support/new-user.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

describe('my account in an organisation', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    for (const [id, name] of [
      ['acme', 'Acme'],
      ['ungranted', 'Without a grant'],
    ])
      await asAdmin(registry, 'POST', '/organizations', { id, name });
    await asAdmin(registry, 'POST', '/access-grants', { account: { type: 'organization', id: 'acme' } });
    await publish(registry, 'of-acme', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'of-acme', { privateAccess: [{ type: 'organization', id: 'acme' }] });
  });
  after(() => registry.close());

  journey(
    'invites and removes members of an organisation',
    () => registry,
    async (visitor) => {
      const { page, t, variant, open, assertAccessible, confirmDialog } = visitor;
      await signInAsNewUser(registry, visitor, 'boss', { acme: 'admin' });
      const { id } = await asAdmin<{ id: string }>(registry, 'POST', '/users', {
        email: `hand-${suffixOf(variant)}@example.org`,
        name: `hand ${suffixOf(variant)}`,
        password: PASSWORD,
      });
      await asAdmin(registry, 'PUT', `/organizations/acme/members/${id}`, { role: 'member' });
      await open('account/organizations');
      await page.getByRole('button', { name: t('account.actFor') }).click();
      await page.getByRole('heading', { name: t('account.members') }).waitFor();
      await assertAccessible();
      const email = `guest-${suffixOf(variant)}@example.org`;
      await page.getByLabel(t('common.email')).fill(email);
      await page.getByRole('button', { name: t('account.invite'), exact: true }).click();
      assert.match(
        await page.getByRole('region', { name: t('account.invitationLink') }).innerText(),
        /\/registry\/invitation#token=/,
      );
      await page.getByText(t('account.invitationShown', { email })).waitFor();
      await page.getByText(email, { exact: true }).waitFor();
      await page
        .getByRole('button', { name: t('account.cancelInvitation') })
        .first()
        .click();
      await page.getByRole('button', { name: `${t('account.removeMember')}: hand ${suffixOf(variant)}` }).click();
      await confirmDialog(t('account.removeMember'));
      await page.getByText(`hand ${suffixOf(variant)}`).waitFor({ state: 'detached' });
      const { members } = await asAdmin<{ members: { user: { id: string } }[] }>(
        registry,
        'GET',
        '/organizations/acme',
      );
      assert.ok(!members.some(({ user }) => user.id === id));
    },
  );

  journey(
    'creates, rotates and revokes a read key',
    () => registry,
    async (visitor) => {
      const { page, t, variant, open, assertAccessible, confirmDialog } = visitor;
      await signInAsNewUser(registry, visitor, 'reader', { acme: 'admin', ungranted: 'admin' });
      const name = `tile server ${suffixOf(variant)}`;
      await visitor.context.request.put(`${registry.pages}api/v1/session/account`, {
        data: { type: 'organization', id: 'ungranted' },
      });
      await open('account/keys');
      await page.getByText(t('account.keysNeedGrant')).waitFor();
      await visitor.context.request.put(`${registry.pages}api/v1/session/account`, {
        data: { type: 'organization', id: 'acme' },
      });
      await open('account/keys');
      await page.getByLabel(t('account.keyName')).fill(name);
      await page.getByLabel(t('account.expiry')).fill('2099-01-01');
      await page.getByRole('button', { name: t('account.newKey') }).click();
      const shown = page.getByRole('region', { name: t('account.theKey') });
      const first = (await shown.innerText()).trim();
      await assertAccessible();
      const status = async (key: string) =>
        (await registry.api('GET', '/artefacts/of-acme/download', { headers: { 'x-api-key': key } })).status;
      assert.equal(await status(first), 200);
      await page.getByRole('button', { name: `${t('account.rotate')}: ${name}` }).click();
      await confirmDialog(t('account.rotate'));
      await page.waitForFunction(
        ([label, before]) => document.querySelector(`[aria-label="${label}"]`)?.textContent?.trim() !== before,
        [t('account.theKey'), first],
      );
      const second = (await shown.innerText()).trim();
      assert.deepEqual([await status(first), await status(second)], [200, 200]);
      await page.getByRole('button', { name: `${t('account.revoke')}: ${name}` }).click();
      await confirmDialog(t('account.revoke'));
      await page.getByText(name).waitFor({ state: 'detached' });
      assert.deepEqual([await status(first), await status(second)], [401, 401]);
    },
  );
});
