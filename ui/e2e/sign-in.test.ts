import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe } from 'node:test';
import { startTestDirectory, type TestDirectory } from '../../api/test/support/directory.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { startMailServer, type TestMailServer } from '../../api/test/support/mail-server.ts';
import { providerSettings, startTestProvider, type TestProvider } from '../../api/test/support/openid-provider.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { AT_A_DESK, journey, variantsOf, withBrowser, type Visitor } from './support/visitor.ts';

async function enter({ page, t }: Visitor, email: string, password: string): Promise<void> {
  await page.getByLabel(t('common.email')).fill(email);
  await page.getByLabel(t('common.password')).fill(password);
  await page.locator('main').getByRole('button', { name: t('common.signIn'), exact: true }).click();
}

describe('the first visit to a new registry', () => {
  withBrowser();
  for (const variant of variantsOf('the first visit')) {
    describe(`${variant.language} ${variant.width}`, () => {
      let registry: Registry;
      before(async () => { registry = await startRegistry(); });
      after(() => registry.close());

      journey('leads from signing in to a first key and a first upload', () => registry, async (visitor) => {
        const { page, t, open, assertAccessible } = visitor;
        await open('admin/keys');
        await page.waitForURL(/sign-in\?redirect=/);
        await open('sign-in');
        await assertAccessible();
        await enter(visitor, ADMIN_EMAIL, ADMIN_PASSWORD);
        await page.waitForURL(/welcome$/);
        await open('');
        await page.getByRole('link', { name: t('browse.begin') }).click();
        await assertAccessible();
        await page.getByRole('link', { name: t('signing.createKey') }).click();
        await page.getByLabel(t('account.keyName')).fill('CI');
        await page.getByRole('button', { name: t('common.create'), exact: true }).click();
        const key = await page.getByRole('region', { name: t('account.theKey') }).innerText();
        assert.match(key.trim(), /^reg_\w{8}_[0-9a-f]{64}$/);
        const { status } = await registry.upload('first@1', { file: await npmTarball({ name: 'first' }), headers: { 'x-api-key': key.trim() } });
        assert.equal(status, 201);
        await open('welcome');
        await page.getByRole('link', { name: t('signing.uploadHere') }).click();
        await page.locator('input[type=file]').setInputFiles({ name: 'second-2.0.0.tgz', mimeType: 'application/gzip', buffer: await npmTarball({ name: 'second', version: '2.0.0' }) });
        await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
        await page.waitForURL(/artefacts\/second%402$/);
      }, { variants: [variant] });
    });
  }
});

describe('the first superadmin of an empty registry', () => {
  withBrowser();

  journey('comes from an OpenID provider to the welcome', () => byProvider, async ({ page, t, open, expectFailures }) => {
    expectFailures();
    provider.user = { sub: 'captain', email: 'captain@example.org', email_verified: true, name: 'Captain', groups: ['berth-admins'] };
    await open('sign-in');
    await page.getByRole('button', { name: new RegExp(t('signing.with', { name: '' })) }).click();
    await page.waitForURL(/welcome$/);
    await page.getByRole('link', { name: t('signing.createKey') }).waitFor();
  });

  journey('comes from the identity service to the welcome', () => byDirectory, async ({ page, context, t, open }) => {
    const { cookie } = await directory.cookies({ id: 'root', name: 'Root', isAdmin: true, adminMode: true });
    await context.addCookies(cookie.split('; ').map((pair) => ({ name: pair.split('=')[0] ?? '', value: pair.split('=')[1] ?? '', url: byDirectory.pages })));
    await open('sign-in');
    await page.waitForURL(/welcome$/);
    await page.getByRole('link', { name: t('signing.uploadHere') }).waitFor();
  });

  let provider: TestProvider;
  let directory: TestDirectory;
  let byProvider: Registry;
  let byDirectory: Registry;
  before(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}/registry`;
    provider = await startTestProvider(publicUrl);
    directory = await startTestDirectory();
    byProvider = { ...await startRegistry({ env: () => ({ PORT: String(port), PUBLIC_URL: publicUrl, ...providerSettings(provider) }) }), pages: `${publicUrl}/` };
    byDirectory = await startRegistry({ env: () => ({ AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url }) });
  });
  after(async () => {
    await Promise.all([byProvider.close(), byDirectory.close()]);
    await Promise.all([provider.stop(), directory.stop()]);
  });
});

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

describe('users of the identity service', () => {
  withBrowser();
  let registry: Registry;
  let directory: TestDirectory;
  before(async () => {
    directory = await startTestDirectory();
    registry = await startRegistry({ env: () => ({ AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url, FRAME_ANCESTORS: '\'self\' http://localhost:*' }) });
    await publish(registry, 'here', { format: 'file', file: Buffer.from('x') });
  });
  after(async () => {
    await registry.close();
    await directory.stop();
  });

  const cookiesOf = async (user: Parameters<TestDirectory['cookies']>[0], membership?: Parameters<TestDirectory['cookies']>[1]) => (await directory.cookies(user, membership)).cookie.split('; ').map((pair) => {
    const [name = '', value = ''] = pair.split('=');
    return { name, value, domain: '127.0.0.1', path: '/' };
  });

  journey('sign in there, act for an organisation, and pick accounts from it', () => registry, async ({ page, context, t, open, assertAccessible }) => {
    await open('sign-in?redirect=/account');
    await assertAccessible();
    const link = new URL(await page.getByRole('link', { name: t('signing.toDirectory') }).getAttribute('href') ?? '');
    assert.deepEqual([link.href.startsWith(directory.url), link.searchParams.get('redirect')], [true, `${registry.pages}sign-in?redirect=/account`]);
    const uma = { id: 'uma', name: 'Uma', email: 'uma@acme.example', organizations: [{ id: 'acme', name: 'Acme', role: 'admin' }] };
    await context.addCookies(await cookiesOf(uma, { org: 'acme', role: 'admin' }));
    await open('sign-in?redirect=/account');
    await page.waitForURL((url) => url.pathname === '/registry/account');
    await page.getByText(t('account.elsewhere')).waitFor();
    await page.getByText('Acme', { exact: true }).waitFor();
    await assertAccessible();
    await context.clearCookies();
    await context.addCookies(await cookiesOf({ id: 'root', name: 'Root', isAdmin: true, adminMode: true }));
    await open('admin/grants');
    await page.getByLabel(t('admin.newGrant')).fill('acm');
    await page.getByRole('option', { name: /Acme/ }).waitFor();
    await assertAccessible();
  });

  journey('see the pages inside of the platform’s, and of no other site’s', () => registry, async ({ page, problems, open }, t) => {
    const platform = createServer((_request, response) => { response.setHeader('content-type', 'text/html').end(`<!doctype html><title>platform</title><iframe src="${registry.pages}" style="width:1000px;height:800px"></iframe>`); });
    platform.listen(0);
    t.after(() => { platform.closeAllConnections(); platform.close(); });
    await once(platform, 'listening');
    const { port } = platform.address() as { port: number };
    await open('');
    await page.goto(`http://localhost:${port}/`);
    await page.frameLocator('iframe').getByRole('heading', { level: 1 }).waitFor();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.waitForTimeout(500);
    assert.equal(await page.frameLocator('iframe').getByRole('heading', { level: 1 }).count(), 0);
    assert.ok(problems.splice(0).some((text) => text.includes('frame-ancestors') || text.includes('Refused to frame') || text.includes('Framing')));
  }, { variants: [AT_A_DESK] });
});

async function until<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
