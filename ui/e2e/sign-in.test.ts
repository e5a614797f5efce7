import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { freePort } from '../../api/test/support/free-port.ts';
import { startMailServer, type TestMailServer } from '../../api/test/support/mail-server.ts';
import { providerSettings, startTestProvider, type TestProvider } from '../../api/test/support/openid-provider.ts';
import { enter } from './support/enter.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { AT_A_DESK, journey, withBrowser } from './support/visitor.ts';

describe('signing in', () => {
  withBrowser();
  let registry: Registry;
  let mail: TestMailServer;
  let provider: TestProvider;
  const it = () => registry;
  before(async () => {
    mail = await startMailServer();
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}/registry`;
    provider = await startTestProvider(publicUrl);
    registry = await startRegistry({ env: () => ({ PORT: String(port), PUBLIC_URL: publicUrl, SMTP_URL: mail.url, SMTP_FROM: 'berth@example.org', OIDC_NAME: 'Harbour ID', ...providerSettings(provider) }) });
    registry.pages = `${publicUrl}/`;
    await asAdmin(registry, 'POST', '/organizations', { id: 'acme', name: 'Acme' });
    await publish(registry, 'here', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'here', { public: true });
  });
  after(async () => {
    await registry.close();
    await provider.stop();
    await mail.stop();
  });

  journey('refuses a wrong password in words, then goes where one wanted to go', it, async (visitor) => {
    const { page, t, open, assertAccessible, expectFailures } = visitor;
    expectFailures();
    await open('sign-in?redirect=/account/keys');
    await enter(visitor, ADMIN_EMAIL, 'wrong password');
    await page.locator('[role=alert] .notice').getByText(visitor.variant.language === 'fr' ? 'Courriel ou mot de passe incorrect' : 'Invalid email or password').waitFor();
    await assertAccessible();
    await enter(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
    await page.waitForURL(/account\/keys$/);
    await page.getByRole('button', { name: t('common.account') }).click();
    await page.getByText(t('common.signOut')).click();
    await page.getByRole('link', { name: t('common.signIn') }).waitFor();
  });

  journey('never leads to another site', it, async (visitor) => {
    const { page, open } = visitor;
    await open('sign-in?redirect=//evil.example/');
    await enter(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
    await page.waitForURL((url) => url.pathname === '/registry/');
  }, { variants: [AT_A_DESK] });

  journey('goes through an OpenID provider and back, out too', it, async ({ page, t, variant, open, assertAccessible, expectFailures }) => {
    // The provider's own page asks for fonts of elsewhere.
    expectFailures();
    const sub = `sailor-${variant.language}-${variant.width}`;
    provider.user = { sub, email: `${sub}@example.org`, email_verified: true, name: 'A sailor', organizations: ['acme:admin'] };
    await open('sign-in?redirect=/account');
    await assertAccessible();
    await page.getByRole('button', { name: t('signing.with', { name: 'Harbour ID' }) }).click();
    await page.waitForURL(/registry\/account$/);
    await page.getByText('A sailor', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: t('common.account') }).click();
    await page.getByText(t('common.signOut')).click();
    await page.waitForURL((url) => url.origin === provider.issuer);
    assert.ok(provider.signedOut > 0);
  });

  journey('sets a forgotten password by a link that comes by mail', it, async (visitor) => {
    const { page, t, variant, open, assertAccessible } = visitor;
    const email = `forgot-${variant.language}-${variant.width}@example.org`;
    await asAdmin(registry, 'POST', '/users', { email, name: 'Forgetful', password: 'the first password' });
    await open('sign-in');
    await page.getByLabel(t('common.email')).fill(email);
    await page.getByRole('button', { name: t('signing.sendLink') }).click();
    await page.getByText(t('signing.linkSent')).waitFor();
    const sent = await until(() => mail.mails.find(({ to }) => to.includes(email)));
    const link = /http\S+reset-password\S+/.exec(sent.text)?.[0] ?? '';
    await page.goto(link);
    await assertAccessible();
    await page.getByLabel(t('signing.newPassword')).fill('the second password');
    await page.getByRole('button', { name: t('common.save') }).click();
    await page.waitForURL(/sign-in$/);
    await enter(visitor, email, 'the second password');
    await page.waitForURL((url) => url.pathname === '/registry/');
  });

  journey('accepts an invitation that came by mail', it, async (visitor) => {
    const { page, t, variant, assertAccessible } = visitor;
    const email = `invited-${variant.language}-${variant.width}@example.org`;
    const { url } = await asAdmin<{ url: string }>(registry, 'POST', '/organizations/acme/invitations', { email, role: 'member' });
    await page.goto(url);
    await page.getByRole('heading', { name: t('signing.invitation', { organization: 'Acme' }) }).waitFor();
    await assertAccessible();
    await page.getByLabel(t('signing.yourName')).fill('New hand');
    await page.getByLabel(t('common.password')).fill('a long pass phrase');
    await page.getByRole('button', { name: t('signing.accept') }).click();
    await page.waitForURL(/sign-in$/);
    await enter(visitor, email, 'a long pass phrase');
    await page.waitForURL((to) => to.pathname === '/registry/');
    await page.getByRole('button', { name: t('common.account') }).click();
    await page.getByText('Acme', { exact: true }).waitFor();
  });

  journey('is told of links that are not good any more', it, async ({ page, t, open, assertAccessible, expectFailures }) => {
    expectFailures();
    await open('invitations/none');
    await page.getByRole('alert').waitFor();
    await assertAccessible();
    await open('reset-password');
    await page.getByText(t('signing.noToken')).waitFor();
    await assertAccessible();
  });
});

async function until<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
