import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { freePort } from '../../api/test/support/free-port.ts';
import {
  Browser,
  providerSettings,
  signInThrough,
  startTestProvider,
  type TestProvider,
} from '../../api/test/support/openid-provider.ts';
import { signInByForm } from './support/sign-in-form.ts';
import {
  ADMIN_EMAIL,
  ADMIN_PASSWORD,
  asAdmin,
  edit,
  publish,
  startRegistry,
  type Registry,
} from './support/registry.ts';
import { DESKTOP, journey, suffixOf, withBrowser } from './support/visitor.ts';

describe('signing in', () => {
  withBrowser();
  let registry: Registry;
  let provider: TestProvider;
  before(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}/registry`;
    provider = await startTestProvider(publicUrl);
    registry = await startRegistry({
      env: () => ({
        PORT: String(port),
        PUBLIC_URL: publicUrl,
        OIDC_NAME: 'Harbour ID',
        ...providerSettings(provider),
      }),
    });
    registry.pages = `${publicUrl}/`;
    await asAdmin(registry, 'POST', '/organizations', { id: 'acme', name: 'Acme' });
    await publish(registry, 'here', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'here', { public: true });
  });
  after(async () => {
    await registry.close();
    await provider.stop();
  });

  journey(
    'explains that a password is wrong, then continues to the requested page',
    () => registry,
    async (visitor) => {
      const { page, t, open, assertAccessible, expectFailures } = visitor;
      expectFailures();
      await open('sign-in?redirect=/account/keys');
      await signInByForm(visitor, ADMIN_EMAIL, 'wrong password');
      await page
        .locator('[role=alert] .notice')
        .getByText(
          visitor.variant.language === 'fr' ? 'Courriel ou mot de passe incorrect' : 'Invalid email or password',
        )
        .waitFor();
      await assertAccessible();
      await signInByForm(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
      await page.waitForURL(/account\/keys$/);
      await page.getByRole('button', { name: t('common.account') }).click();
      await page.getByText(t('common.signOut')).click();
      await page.getByRole('link', { name: t('common.signIn') }).waitFor();
    },
  );

  journey(
    'never redirects to another site',
    () => registry,
    async (visitor) => {
      const { page, open } = visitor;
      await open('sign-in?redirect=//evil.example/');
      await signInByForm(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
      await page.waitForURL((url) => url.pathname === '/registry/');
    },
    { variants: [DESKTOP] },
  );

  journey(
    'signs in and out through an OpenID provider',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, expectFailures }) => {
      // The provider's page requests fonts from another host.
      expectFailures();
      const sub = `sailor-${suffixOf(variant)}`;
      provider.user = {
        sub,
        email: `${sub}@example.org`,
        email_verified: true,
        name: 'A sailor',
        organizations: ['acme:admin'],
      };
      await open('sign-in?redirect=/account');
      await assertAccessible();
      await page.getByRole('button', { name: t('signing.with', { name: 'Harbour ID' }) }).click();
      await page.waitForURL(/registry\/account$/);
      await page.getByText('A sailor', { exact: true }).first().waitFor();
      await page.getByRole('button', { name: t('common.account') }).click();
      await page.getByText(t('common.signOut')).click();
      await page.waitForURL((url) => url.origin === provider.issuer);
      assert.ok(provider.signedOut > 0);
      // Not to the root of the host, where another service may be.
      await page.getByRole('button', { name: 'Yes, sign me out' }).click();
      await page.waitForURL(registry.pages);
    },
  );

  journey(
    'explains why a person from the provider is refused, and nothing that a link makes up',
    () => registry,
    async ({ page, context, t, variant, open, assertAccessible, expectFailures }) => {
      expectFailures();
      const email = `shared-${suffixOf(variant)}@example.org`;
      const refusedAs = async (text: string) => {
        // The provider remembers who has signed in.
        await context.clearCookies();
        await page.getByRole('button', { name: t('signing.with', { name: 'Harbour ID' }) }).click();
        await page.waitForURL(/sign-in\?error=/);
        await page.getByText(text).waitFor();
        await assertAccessible();
      };
      await open('sign-in');
      provider.user = { sub: `unverified-${suffixOf(variant)}`, email, email_verified: false, name: 'Unverified' };
      await refusedAs(t('signing.unverifiedAddress'));
      provider.user = { ...provider.user, sub: `first-${suffixOf(variant)}`, email_verified: true };
      await signInThrough(registry.pages.slice(0, -1), new Browser());
      provider.user = { ...provider.user, sub: `second-${suffixOf(variant)}` };
      await refusedAs(t('signing.anotherSubject'));
      await open('sign-in?error=made_up&error_description=Call+this+number');
      await page.getByText(t('signing.providerFailed')).waitFor();
      assert.equal(await page.getByText(/made_up|Call this number/).count(), 0);
    },
  );

  journey(
    'a superadmin unlinks a user from the provider',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const sub = `linked-${suffixOf(variant)}`;
      const name = `Linked ${suffixOf(variant)}`;
      provider.user = { sub, email: `${sub}@example.org`, email_verified: true, name };
      await signInThrough(registry.pages.slice(0, -1), new Browser());
      await open(`admin/users?q=${sub}`);
      await page.getByText(t('admin.linked')).waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: `${t('common.actions')}: ${name}` }).click();
      await page.getByText(t('admin.unlink'), { exact: true }).click();
      await confirmDialog(t('admin.unlink'));
      await page.getByText(t('admin.linked')).waitFor({ state: 'detached' });
    },
    { as: 'superadmin' },
  );
});
