import { rm } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { storedFile } from './support/stored-file.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('administration of mirrors', () => {
  withBrowser();
  let registry: Registry;
  let upstream: Registry;
  before(async () => {
    [registry, upstream] = await Promise.all([startRegistry(), startRegistry({ path: '' })]);
    for (const id of ['@up/one@1', '@up/two@1', '@up/broken@1']) {
      await publish(upstream, id, { format: 'file', file: Buffer.from(id) });
      await edit(upstream, id, { public: true });
    }
  });
  after(() => Promise.all([registry.close(), upstream.close()]));

  journey(
    'artefacts are mirrored by selection and by pattern, and failures are shown and retried',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const key = await upstream.readKey({ type: 'organization', id: `mirror-${suffixOf(variant)}` });
      await open('admin/remotes');
      await page.getByRole('button', { name: t('remotes.add') }).click();
      await page.getByLabel(t('remotes.url')).fill(upstream.url);
      await page.getByLabel(t('common.name'), { exact: true }).fill('Upstream');
      await page.getByLabel(t('remotes.apiKey')).fill(key);
      await assertAccessible();
      await page
        .locator('form')
        .getByRole('button', { name: t('remotes.add') })
        .click();
      await page.getByText('Upstream', { exact: true }).click();
      await page.getByLabel(t('remotes.select', { id: '@up/one@1' })).check();
      await page.getByRole('cell', { name: '@up/one@1' }).waitFor();
      await page.getByText(t('remotes.synced'), { exact: true }).waitFor();
      await assertAccessible();
      const broken = `broken for ${suffixOf(variant)}`;
      await publish(upstream, '@up/broken@1', { format: 'file', file: Buffer.from(broken) });
      await rm(await storedFile(upstream, broken));
      await page.getByLabel(t('remotes.patterns')).fill('@up/*');
      await page.getByRole('button', { name: t('common.save') }).click();
      await page.getByText(t('common.saved')).waitFor();
      await page.getByRole('button', { name: t('remotes.sync') }).click();
      await page.getByText(t('remotes.failed'), { exact: true }).waitFor();
      await page.getByRole('cell', { name: '@up/two@1' }).waitFor();
      await page.getByRole('button', { name: t('remotes.retry') }).waitFor();
      await publish(upstream, '@up/broken@1', {
        format: 'file',
        file: Buffer.from(`mended for ${suffixOf(variant)}`),
      });
      await page.getByRole('button', { name: t('remotes.retry') }).click();
      await page.getByText(t('remotes.failed'), { exact: true }).waitFor({ state: 'detached' });
      await page.getByRole('button', { name: t('remotes.verify') }).click();
      await page.getByText(t('remotes.unchanged'), { exact: true }).nth(2).waitFor();
      await page.getByText(t('remotes.success'), { exact: true }).waitFor();
      await page.getByRole('button', { name: t('remotes.remove') }).click();
      await confirmDialog(t('remotes.remove'), 'Upstream');
      await page.waitForURL(/admin\/remotes$/);
      await page.getByText(t('remotes.none')).waitFor();
      for (const id of ['@up/one@1', '@up/two@1', '@up/broken@1'])
        await asAdmin(registry, 'DELETE', `/artefacts/${encodeURIComponent(id)}`);
    },
    { as },
  );
});
