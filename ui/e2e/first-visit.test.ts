import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startTestDirectory, type TestDirectory } from '../../api/test/support/directory.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { providerSettings, startTestProvider, type TestProvider } from '../../api/test/support/openid-provider.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { signInByForm } from './support/sign-in-form.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, startRegistry, type Registry } from './support/registry.ts';
import { journey, variantsOf, withBrowser } from './support/visitor.ts';

describe('the first visit to a new registry', () => {
  withBrowser();
  for (const variant of variantsOf('the first visit')) {
    describe(`${variant.language} ${variant.width}`, () => {
      let registry: Registry;
      before(async () => {
        registry = await startRegistry();
      });
      after(() => registry.close());

      journey(
        'leads from signing in to a first key and a first upload',
        () => registry,
        async (visitor) => {
          const { page, t, open, assertAccessible } = visitor;
          await open('admin/keys');
          await page.waitForURL(/sign-in\?redirect=/);
          await open('sign-in');
          await assertAccessible();
          await signInByForm(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
          await page.waitForURL(/welcome$/);
          await open('');
          await page.getByRole('link', { name: t('browse.getStarted') }).click();
          await assertAccessible();
          await page.getByRole('link', { name: t('signing.createKey') }).click();
          await page.getByLabel(t('account.keyName')).fill('CI');
          await page.getByRole('button', { name: t('common.create'), exact: true }).click();
          const key = await page.getByRole('region', { name: t('account.theKey') }).innerText();
          assert.match(key.trim(), /^reg_\w{8}_[0-9a-f]{64}$/);
          const { status } = await registry.upload('first@1', {
            file: await npmTarball({ name: 'first' }),
            headers: { 'x-api-key': key.trim() },
          });
          assert.equal(status, 201);
          await open('welcome');
          await page.getByRole('link', { name: t('signing.uploadHere') }).click();
          await page.locator('input[type=file]').setInputFiles({
            name: 'second-2.0.0.tgz',
            mimeType: 'application/gzip',
            buffer: await npmTarball({ name: 'second', version: '2.0.0' }),
          });
          await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
          await page.waitForURL(/artefacts\/second%402$/);
        },
        { variants: [variant] },
      );
    });
  }
});

describe('the first superadmin of an empty registry', () => {
  withBrowser();

  journey(
    'reaches the welcome page through an OpenID provider',
    () => byProvider,
    async ({ page, t, open, expectFailures }) => {
      expectFailures();
      provider.user = {
        sub: 'captain',
        email: 'captain@example.org',
        email_verified: true,
        name: 'Captain',
        groups: ['berth-admins'],
      };
      await open('sign-in');
      await page.getByRole('button', { name: new RegExp(t('signing.with', { name: '' })) }).click();
      await page.waitForURL(/welcome$/);
      await page.getByRole('link', { name: t('signing.createKey') }).waitFor();
    },
  );

  journey(
    'reaches the welcome page through the identity service',
    () => byDirectory,
    async ({ page, context, t, open }) => {
      const { cookie } = await directory.cookies({ id: 'root', name: 'Root', isAdmin: true, adminMode: true });
      await context.addCookies(
        cookie.split('; ').map((pair) => ({
          name: pair.split('=')[0] ?? '',
          value: pair.split('=')[1] ?? '',
          url: byDirectory.pages,
        })),
      );
      await open('sign-in');
      await page.waitForURL(/welcome$/);
      await page.getByRole('link', { name: t('signing.uploadHere') }).waitFor();
    },
  );

  let provider: TestProvider;
  let directory: TestDirectory;
  let byProvider: Registry;
  let byDirectory: Registry;
  before(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}/registry`;
    provider = await startTestProvider(publicUrl);
    directory = await startTestDirectory();
    byProvider = {
      ...(await startRegistry({
        env: () => ({ PORT: String(port), PUBLIC_URL: publicUrl, ...providerSettings(provider) }),
      })),
      pages: `${publicUrl}/`,
    };
    byDirectory = await startRegistry({
      env: () => ({ AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url }),
    });
  });
  after(async () => {
    await Promise.all([byProvider.close(), byDirectory.close()]);
    await Promise.all([provider.stop(), directory.stop()]);
  });
});
