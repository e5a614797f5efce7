import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe } from 'node:test';
import { startTestDirectory, type TestDirectory } from '../../api/test/support/directory.ts';
import { publish, startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, journey, withBrowser } from './support/visitor.ts';

describe('users of the identity service', () => {
  withBrowser();
  let registry: Registry;
  let directory: TestDirectory;
  before(async () => {
    directory = await startTestDirectory();
    registry = await startRegistry({
      env: () => ({
        AUTH_MODE: 'simple-directory',
        DIRECTORY_URL: directory.url,
        FRAME_ANCESTORS: "'self' http://localhost:*",
      }),
    });
    await publish(registry, 'here', { format: 'file', file: Buffer.from('x') });
  });
  after(async () => {
    await registry.close();
    await directory.stop();
  });

  const cookiesOf = async (
    user: Parameters<TestDirectory['cookies']>[0],
    membership?: Parameters<TestDirectory['cookies']>[1],
  ) =>
    (await directory.cookies(user, membership)).cookie.split('; ').map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return { name, value, domain: '127.0.0.1', path: '/' };
    });

  journey(
    'sign in there, act for an organisation, and find accounts in it',
    () => registry,
    async ({ page, context, t, open, assertAccessible }) => {
      await open('sign-in?redirect=/account');
      await assertAccessible();
      const link = new URL(
        (await page.getByRole('link', { name: t('signing.toDirectory') }).getAttribute('href')) ?? '',
      );
      assert.deepEqual(
        [link.href.startsWith(directory.url), link.searchParams.get('redirect')],
        [true, `${registry.pages}sign-in?redirect=/account`],
      );
      const uma = {
        id: 'uma',
        name: 'Uma',
        email: 'uma@acme.example',
        organizations: [{ id: 'acme', name: 'Acme', role: 'admin' }],
      };
      await context.addCookies(await cookiesOf(uma, { org: 'acme', role: 'admin' }));
      await open('sign-in?redirect=/account');
      await page.waitForURL((url) => url.pathname === '/registry/account');
      await page.getByText(t('account.managedByDirectory')).waitFor();
      await page.getByText('Acme', { exact: true }).waitFor();
      await assertAccessible();
      await context.clearCookies();
      await context.addCookies(await cookiesOf({ id: 'root', name: 'Root', isAdmin: true, adminMode: true }));
      await open('admin/grants');
      await page.getByLabel(t('admin.newGrant')).fill('acm');
      await page.getByRole('option', { name: /Acme/ }).waitFor();
      await assertAccessible();
    },
  );

  journey(
    'see the pages in a frame of the platform, and of no other site',
    () => registry,
    async ({ page, problems, open }, t) => {
      const platform = createServer((_request, response) => {
        response
          .setHeader('content-type', 'text/html')
          .end(
            `<!doctype html><title>platform</title><iframe src="${registry.pages}" ` +
              'style="width:1000px;height:800px"></iframe>',
          );
      });
      platform.listen(0);
      t.after(() => {
        platform.closeAllConnections();
        platform.close();
      });
      await once(platform, 'listening');
      const { port } = platform.address() as { port: number };
      await open('');
      await page.goto(`http://localhost:${port}/`);
      await page.frameLocator('iframe').getByRole('heading', { level: 1 }).waitFor();
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForTimeout(500);
      assert.equal(await page.frameLocator('iframe').getByRole('heading', { level: 1 }).count(), 0);
      assert.ok(
        problems
          .splice(0)
          .some(
            (text) =>
              text.includes('frame-ancestors') || text.includes('Refused to frame') || text.includes('Framing'),
          ),
      );
    },
    { variants: [DESKTOP] },
  );
});
