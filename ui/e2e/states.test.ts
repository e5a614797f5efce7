// Every list in the states that it is seldom in: empty, on its way, not to be had, and with texts as long as they may be.
// With BERTH_TEST_SCREENSHOTS=<folder> each is kept as a picture, to be looked at.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser, type Visitor } from './support/visitor.ts';

const as = 'superadmin';
const LONG_ID = `@acme/${'long-'.repeat(30)}x@1`;
const LONG_NAME = 'W'.repeat(180);

/** Address of each page by what its list is asked for. */
const LISTS: Record<string, { page: string; route: string; emptyKey?: Parameters<Visitor['t']>[0] }> = {
  'browse': { page: '?view=table', route: '**/api/v1/artefacts?**', emptyKey: 'browse.empty' },
  'publishers': { page: 'admin/publishers', route: '**/api/v1/trusted-publishers', emptyKey: 'publishers.none' },
  'upload-keys': { page: 'admin/keys', route: '**/api/v1/api-keys?**', emptyKey: 'account.noKeys' },
  'grants': { page: 'admin/grants', route: '**/api/v1/access-grants?**', emptyKey: 'admin.noGrants' },
  'users': { page: 'admin/users', route: '**/api/v1/users?**' },
  'organizations': { page: 'admin/organizations', route: '**/api/v1/organizations?**', emptyKey: 'admin.noOrganizations' },
  'audit': { page: 'admin/audit', route: '**/api/v1/audit-events?**' },
  'remotes': { page: 'admin/remotes', route: '**/api/v1/remote-registries', emptyKey: 'remotes.none' },
  'storage': { page: 'admin/storage', route: '**/api/v1/storage' },
  'dashboard': { page: 'admin', route: '**/api/v1/stats?**' },
  'read-keys': { page: 'account/keys', route: '**/api/v1/api-keys?**', emptyKey: 'account.noKeys' },
  'sessions': { page: 'account/security', route: '**/api/v1/sessions' },
};

async function keep({ page, variant }: Visitor, name: string): Promise<void> {
  const folder = process.env['BERTH_TEST_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, `${name}-${variant.language}-${variant.width}.png`), fullPage: true });
}

describe('lists', () => {
  withBrowser();
  let empty: Registry;
  let full: Registry;
  before(async () => {
    [empty, full] = await Promise.all([startRegistry(), startRegistry()]);
    const file = await npmTarball({ name: '@acme/long', manifest: { license: 'A-very-long-licence-expression OR another-one '.repeat(4), bundleDependencies: ['inner'] }, files: { 'README.md': `# ${LONG_NAME}\n\n${LONG_NAME}`, [`${'deep/'.repeat(12)}file.txt`]: LONG_NAME, 'node_modules/inner/package.json': { name: 'inner', version: '1.0.0' } } });
    await publish(full, LONG_ID, { file, fields: { title: JSON.stringify({ en: LONG_NAME, fr: LONG_NAME }), description: JSON.stringify({ en: LONG_NAME.repeat(5) }) } });
    await edit(full, LONG_ID, { group: { en: LONG_NAME } });
    await asAdmin(full, 'POST', '/users', { email: `${'w'.repeat(60)}@example.org`, name: LONG_NAME, password: 'a long pass phrase' });
    const id = 'o'.repeat(120);
    await asAdmin(full, 'POST', '/organizations', { id, name: LONG_NAME });
    await asAdmin(full, 'POST', '/access-grants', { account: { type: 'organization', id, name: LONG_NAME } });
    await asAdmin(full, 'POST', '/api-keys', { type: 'upload', name: LONG_NAME, allowedNamePrefix: LONG_ID });
    await asAdmin(full, 'POST', '/trusted-publishers', { name: LONG_NAME, provider: 'gitlab', repository: `acme/${'geo/'.repeat(50)}x`, environment: LONG_NAME, allowedNamePrefix: LONG_ID });
    await asAdmin(full, 'POST', '/api-keys', { type: 'read', name: LONG_NAME, owner: { type: 'organization', id } });
    await asAdmin(full, 'POST', '/remote-registries', { url: `http://127.0.0.1:9/${'path/'.repeat(20)}`, name: LONG_NAME, apiKey: 'x', selectedPatterns: [`${LONG_ID}*`] });
    await asAdmin(full, 'POST', `/remote-registries/${encodeURIComponent(`http://127.0.0.1:9/${'path/'.repeat(20)}`.replace(/\/$/, ''))}/sync`);
  });
  after(() => Promise.all([empty.close(), full.close()]));

  journey('say that they are empty, and what would be there', () => empty, async (visitor) => {
    for (const [name, { page, emptyKey }] of Object.entries(LISTS)) {
      if (!emptyKey) continue;
      await visitor.open(page);
      await visitor.page.getByText(visitor.t(emptyKey)).waitFor();
      await visitor.assertAccessible();
      await keep(visitor, `${name}-empty`);
    }
  }, { as });

  journey('show that they are on their way, and say why they do not come', () => empty, async (visitor) => {
    visitor.expectFailures();
    for (const [name, { page, route }] of Object.entries(LISTS)) {
      let fail: () => void = () => undefined;
      const failed = new Promise<void>((resolve) => { fail = resolve; });
      await visitor.page.route(route, async (request) => {
        await failed;
        await request.abort();
      });
      await visitor.open(page);
      await visitor.page.getByRole('progressbar').first().waitFor();
      await visitor.assertAccessible();
      await keep(visitor, `${name}-loading`);
      fail();
      await visitor.page.getByText(visitor.t('common.unreachable')).first().waitFor();
      await visitor.assertAccessible();
      await keep(visitor, `${name}-error`);
      await visitor.page.unroute(route);
      await visitor.page.getByRole('button', { name: visitor.t('common.retry') }).first().click();
      await visitor.page.getByText(visitor.t('common.unreachable')).first().waitFor({ state: 'detached' });
    }
  }, { as });

  journey('hold texts as long as they may be', () => full, async (visitor) => {
    const remote = (await asAdmin<{ results: { _id: string }[] }>(full, 'GET', '/remote-registries')).results[0];
    assert.ok(remote);
    const artefact = `artefacts/${encodeURIComponent(LONG_ID)}`;
    const pages = { ...Object.fromEntries(Object.entries(LISTS).map(([name, { page }]) => [name, page])), cards: '', artefact: artefact, use: `${artefact}?tab=use`, packages: `${artefact}?tab=packages`, files: `${artefact}?tab=files&file=${'deep%2F'.repeat(12)}file.txt`, manage: `${artefact}?tab=manage`, organization: `admin/organizations/${'o'.repeat(120)}`, remote: `admin/remotes/${encodeURIComponent(remote._id)}` };
    // The other registry of the long address is not there.
    visitor.expectFailures();
    for (const [name, page] of Object.entries(pages)) {
      await visitor.open(page);
      await visitor.page.getByRole('heading', { level: 1 }).first().waitFor();
      await visitor.page.getByRole('progressbar').first().waitFor({ state: 'hidden' });
      await visitor.assertAccessible();
      await keep(visitor, `${name}-long`);
    }
  }, { as });
});
