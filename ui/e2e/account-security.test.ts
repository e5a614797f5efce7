import { after, before, describe } from 'node:test';
import { codeOf } from '../../api/test/support/totp.ts';
import { signInAsNewUser, PASSWORD } from './support/new-user.ts';
import { startRegistry, type Registry } from './support/registry.ts';
import { journey, signIn, visit, withBrowser } from './support/visitor.ts';

describe('account security', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'changes the password and signs out the other sessions',
    () => registry,
    async (visitor) => {
      const { page, t, open, variant, expectFailures } = visitor;
      const { email } = await signInAsNewUser(registry, visitor, 'careful');
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
    },
  );

  journey(
    'enables two-factor authentication, signs in with it, and disables it',
    () => registry,
    async (visitor) => {
      const { page, context, t, open, assertAccessible } = visitor;
      const { email } = await signInAsNewUser(registry, visitor, 'guarded');
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
      await page.getByLabel(t('signing.code')).fill(codeOf(secret, 1));
      await assertAccessible();
      await page.getByRole('button', { name: t('signing.verify') }).click();
      await page.waitForURL((url) => url.pathname === '/registry/account/security');
      await section.getByLabel(t('account.currentPassword')).fill(PASSWORD);
      await section.getByRole('button', { name: t('account.turnOff') }).click();
      await page.getByText(t('account.twoFactorOff')).waitFor();
    },
  );
});
