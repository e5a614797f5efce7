import { after, before, describe } from 'node:test';
import { codeOf } from '../../api/test/support/totp.ts';
import { become, PASSWORD } from './support/become.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, signIn, visit, withBrowser } from './support/visitor.ts';

describe('the security of my account', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
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

  journey('changes the password and ends the other sessions', it, async (visitor) => {
    const { page, t, open, variant, expectFailures } = visitor;
    const { email } = await become(registry, visitor, 'careful');
    const elsewhere = await visit(registry, variant);
    await signIn(elsewhere.context, registry, email, PASSWORD);
    await open('account/security');
    await page.getByText(t('account.thisSession')).waitFor();
    await page.getByRole('button', { name: t('account.end'), exact: true }).waitFor();
    expectFailures();
    const form = page.locator('form').filter({ hasText: t('account.changePassword') });
    await form.getByLabel(t('account.currentPassword')).fill('wrong one');
    await form.getByLabel(t('signing.newPassword')).fill('third mate 33');
    await form.getByRole('button', { name: t('common.save') }).click();
    await page.locator('[role=alert] .notice').waitFor();
    await form.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await form.getByRole('button', { name: t('common.save') }).click();
    await page.getByText(t('account.passwordChanged')).waitFor();
    await elsewhere.open('account');
    await elsewhere.page.waitForURL(/sign-in/);
    await elsewhere.context.close();
  });

  journey('turns the second factor on, signs in with it, and turns it off', it, async (visitor) => {
    const { page, context, t, open, assertAccessible } = visitor;
    const { email } = await become(registry, visitor, 'guarded');
    await open('account/security');
    const section = page.locator('section').filter({ hasText: t('account.twoFactor') });
    await section.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await section.getByRole('button', { name: t('account.turnOn') }).click();
    const secret = (await section.getByRole('region', { name: t('account.secret') }).innerText()).trim();
    await assertAccessible();
    await section.getByLabel(t('signing.code')).fill(codeOf(secret));
    await section.getByRole('button', { name: t('signing.verify') }).click();
    await page.getByText(t('account.twoFactorOn')).waitFor();
    await context.clearCookies();
    await open('sign-in?redirect=/account/security');
    await page.getByLabel(t('common.email')).fill(email);
    await page.getByLabel(t('common.password')).fill(PASSWORD);
    await page
      .locator('main')
      .getByRole('button', { name: t('common.signIn'), exact: true })
      .click();
    await page.getByLabel(t('signing.code')).fill(codeOf(secret));
    await assertAccessible();
    await page.getByRole('button', { name: t('signing.verify') }).click();
    await page.waitForURL((url) => url.pathname === '/registry/account/security');
    await section.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await section.getByRole('button', { name: t('account.turnOff') }).click();
    await page.getByText(t('account.twoFactorOff')).waitFor();
  });
});
