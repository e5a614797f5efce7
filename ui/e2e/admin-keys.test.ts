import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe } from 'node:test';
import { asAdmin, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('administration of keys', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    for (const id of ['@acme/one@1', '@acme/two@1', 'other']) {
      await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
    }
    const expiresAt = new Date(Date.now() + 10 * 86_400_000).toISOString();
    await asAdmin(registry, 'POST', '/api-keys', { type: 'upload', name: 'About to end', expiresAt });
  });
  after(() => registry.close());

  journey(
    'the dashboard shows totals, transfers and expiring keys',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open('admin');
      await page.getByText(t('admin.stored')).waitFor();
      await page.getByText('@acme/one@1').waitFor();
      await page.getByText('About to end').waitFor();
      await page.getByRole('img', { name: new RegExp(t('admin.uploads')) }).waitFor();
      await assertAccessible();
    },
    { as },
  );

  journey(
    'an upload key is created with scopes, after a preview of what they match',
    () => registry,
    async ({ page, t, variant, open, choose, assertAccessible }) => {
      await open('admin/keys');
      await page.getByRole('button', { name: t('account.newKey') }).click();
      await page.getByText(t('admin.previewAll')).waitFor();
      await page.getByLabel(t('account.keyName')).fill(`CI ${suffixOf(variant)}`);
      await page.getByLabel(t('admin.scopePrefix')).fill('@acme/o');
      const hint = page.getByText(t('admin.scopePrefixOpen', { example: '@acme/os' }));
      await hint.waitFor();
      await assertAccessible();
      await page.getByLabel(t('admin.scopePrefix')).fill('@acme/');
      await hint.waitFor({ state: 'detached' });
      await choose(t('admin.scopeCategory'), 'tileset');
      await page.getByText('@acme/two@1').waitFor();
      assert.equal(await page.getByRole('listitem').getByText('other', { exact: true }).count(), 0);
      await assertAccessible();
      await page.getByRole('button', { name: t('common.create'), exact: true }).click();
      const key = (await page.getByRole('region', { name: t('account.theKey') }).innerText()).trim();
      await page
        .getByRole('cell', { name: `CI ${suffixOf(variant)}` })
        .first()
        .waitFor();
      await assertAccessible();
      const upload = async (id: string) =>
        (
          await registry.upload(id, {
            format: 'file',
            file: Buffer.from('x'),
            fields: { category: 'tileset' },
            headers: { 'x-api-key': key },
          })
        ).status;
      assert.deepEqual([await upload('@acme/one@1'), await upload('other')], [201, 403]);
    },
    { as },
  );

  journey(
    'trusted publishers of an older version are marked as loose',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      const name = `old ${suffixOf(variant)}`;
      const fields = { name, provider: 'github', repository: 'acme/old', repositoryId: '42', anyRef: true };
      await asAdmin(registry, 'POST', '/trusted-publishers', fields);
      await open('admin/publishers');
      const row = page.getByRole('row').filter({ hasText: name });
      await row.getByText(t('publishers.anyRef')).waitFor();
      await row.getByText(t('publishers.numbered', { id: '42' })).waitFor();
      const database = new DatabaseSync(join(registry.dataDir, 'berth.db'));
      database.prepare('update trusted_publishers set any_ref = 0 where name = ?').run(name);
      database.close();
      await page.reload();
      await row.getByText(t('publishers.loose'), { exact: true }).waitFor();
      await row.getByText(t('publishers.looseHelp')).waitFor();
      await assertAccessible();
    },
    { as },
  );

  journey(
    'a trusted publisher is added and removed',
    () => registry,
    async ({ page, t, variant, open, choose, assertAccessible, confirmDialog }) => {
      const name = `gpkg ${suffixOf(variant)}`;
      await open('admin/publishers');
      await page.getByRole('button', { name: t('publishers.add') }).click();
      await page.getByLabel(t('common.name'), { exact: true }).fill(name);
      await choose(t('publishers.provider'), 'GitLab');
      const field = (label: 'repository' | 'branch' | 'tag' | 'environment' | 'events' | 'anyRef') =>
        page.getByLabel(t(`publishers.${label}`), { exact: true });
      await field('repository').fill('https://gitlab.com/acme/geo/import-gpkg');
      await page.getByLabel(t('admin.scopePrefix')).fill('@acme/');
      assert.equal(await field('tag').inputValue(), 'v*');
      const create = page.getByRole('button', { name: t('common.create'), exact: true });
      await field('tag').fill('');
      assert.ok(await create.isDisabled(), 'nothing protects it');
      await field('anyRef').check();
      await field('branch').waitFor({ state: 'detached' });
      await assertAccessible();
      await field('anyRef').uncheck();
      await field('branch').fill('main');
      await field('environment').fill('production');
      await field('events').fill('push, web');
      await assertAccessible();
      await create.click();
      const row = page.getByRole('row').filter({ hasText: name });
      await row.getByText('https://gitlab.com', { exact: true }).waitFor();
      await assertAccessible();
      const listed = async () =>
        (
          (await (
            await registry.api('GET', '/trusted-publishers', { headers: await registry.superadmin() })
          ).json()) as { results: Record<string, unknown>[] }
        ).results.find((publisher) => publisher['name'] === name);
      assert.partialDeepStrictEqual(await listed(), {
        provider: 'gitlab',
        repository: 'acme/geo/import-gpkg',
        branch: 'main',
        environment: 'production',
        events: ['push', 'web'],
        allowedNamePrefix: '@acme/',
      });
      await page.getByRole('button', { name: `${t('publishers.remove')}: ${name}` }).click();
      await confirmDialog(t('publishers.remove'));
      await row.waitFor({ state: 'detached' });
      assert.equal(await listed(), undefined);
    },
    { as },
  );
});
