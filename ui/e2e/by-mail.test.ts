import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startMailServer, type TestMailServer } from '../../api/test/support/mail-server.ts';
import { signInAsNewUser } from './support/new-user.ts';
import { signInByForm } from './support/sign-in-form.ts';
import { asAdmin, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

describe('links sent by e-mail', () => {
  withBrowser();
  let registry: Registry;
  let mail: TestMailServer;
  before(async () => {
    mail = await startMailServer();
    registry = await startRegistry({ env: () => ({ SMTP_URL: mail.url, SMTP_FROM: 'berth@example.org' }) });
    await asAdmin(registry, 'POST', '/organizations', { id: 'acme', name: 'Acme' });
  });
  after(async () => {
    await registry.close();
    await mail.stop();
  });

  /** The link in the mail to an address. */
  const linkTo = async (email: string) => {
    const sent = await until(() => mail.mails.find(({ to }) => to.includes(email)));
    return /http\S+#token=\S+/.exec(sent.text)?.[0] ?? '';
  };

  journey(
    'resets a forgotten password by a link sent by e-mail',
    () => registry,
    async (visitor) => {
      const { page, t, variant, open, assertAccessible } = visitor;
      const email = `forgot-${suffixOf(variant)}@example.org`;
      await asAdmin(registry, 'POST', '/users', { email, name: 'Forgetful', password: 'the first password' });
      await open('sign-in');
      await page.getByLabel(t('common.email')).fill(email);
      await page.getByRole('button', { name: t('signing.sendLink') }).click();
      await page.getByText(t('signing.linkSent')).waitFor();
      await page.goto(await linkTo(email));
      await assertAccessible();
      await page.getByLabel(t('signing.newPassword')).fill('the second password');
      await page.getByRole('button', { name: t('common.save') }).click();
      await page.waitForURL(/sign-in$/);
      await signInByForm(visitor, email, 'the second password');
      await page.waitForURL((url) => url.pathname === '/registry/');
    },
  );

  journey(
    'accepts an invitation by its link',
    () => registry,
    async (visitor) => {
      const { page, t, variant, assertAccessible } = visitor;
      const email = `invited-${suffixOf(variant)}@example.org`;
      await asAdmin(registry, 'POST', '/organizations/acme/invitations', { email, role: 'member' });
      await page.goto(await linkTo(email));
      await page.getByRole('heading', { name: t('signing.invitation', { organization: 'Acme' }) }).waitFor();
      await assertAccessible();
      await page.getByLabel(t('signing.yourName')).fill('New hand');
      await page.getByLabel(t('common.password')).fill('a long pass phrase');
      await page.getByRole('button', { name: t('signing.accept') }).click();
      await page.waitForURL(/sign-in$/);
      await signInByForm(visitor, email, 'a long pass phrase');
      await page.waitForURL((to) => to.pathname === '/registry/');
      await page.getByRole('button', { name: t('common.account') }).click();
      await page.getByText('Acme', { exact: true }).waitFor();
    },
  );

  journey(
    'accepts an invitation after signing in',
    () => registry,
    async (visitor) => {
      const { page, t, variant } = visitor;
      const email = `known-${suffixOf(variant)}@example.org`;
      await asAdmin(registry, 'POST', '/users', { email, name: 'Known', password: 'a long pass phrase' });
      await asAdmin(registry, 'POST', '/organizations/acme/invitations', { email, role: 'member' });
      await page.goto(await linkTo(email));
      await page
        .getByRole('main')
        .getByRole('button', { name: t('common.signIn') })
        .click();
      await page.waitForURL(/sign-in\?redirect=\/invitation$/);
      await signInByForm(visitor, email, 'a long pass phrase');
      await page.getByText(t('signing.acceptAsUser')).waitFor();
      await page.getByRole('button', { name: t('signing.accept') }).click();
      await page.waitForURL(/account\/organizations$/);
    },
  );

  journey(
    'invites by mail, without showing the link',
    () => registry,
    async (visitor) => {
      const { page, t, variant, open, assertAccessible } = visitor;
      await signInAsNewUser(registry, visitor, 'host', { acme: 'admin' });
      await open('account/organizations');
      await page.getByRole('button', { name: t('account.actFor') }).click();
      const email = `guest-${suffixOf(variant)}@example.org`;
      await page.getByLabel(t('common.email')).fill(email);
      await page.getByRole('button', { name: t('account.invite'), exact: true }).click();
      await page.getByText(t('account.invitationSent', { email })).waitFor();
      await linkTo(email);
      assert.equal(await page.getByText('#token=').count(), 0);
      await assertAccessible();
    },
  );

  journey(
    'reports links that are not valid',
    () => registry,
    async ({ page, t, open, assertAccessible, expectFailures }) => {
      expectFailures();
      await open('invitation#token=none');
      await page.getByRole('alert').waitFor();
      await assertAccessible();
      await open('reset-password');
      await page.getByText(t('signing.noToken')).waitFor();
      await assertAccessible();
    },
  );
});

async function until<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const result = find();
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
