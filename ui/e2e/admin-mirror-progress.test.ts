import { after, before, describe } from 'node:test';
import { startStallingProxy } from './support/stalling-proxy.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('mirror progress', () => {
  withBrowser();
  let registry: Registry;
  let upstream: Registry;
  before(async () => {
    [registry, upstream] = await Promise.all([startRegistry(), startRegistry({ path: '' })]);
  });
  after(() => Promise.all([registry.close(), upstream.close()]));

  journey(
    'a run shows its progress in bytes, and a mirror shows its origin',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `@large/${suffixOf(variant)}@1`;
      await publish(upstream, id, { format: 'file', file: Buffer.alloc(8_000_000, id) });
      await edit(upstream, id, { public: true });
      const proxy = await startStallingProxy(upstream.url, 4_000_000);
      try {
        const apiKey = await upstream.readKey({ type: 'organization', id: `watcher-${suffixOf(variant)}` });
        await asAdmin(registry, 'POST', '/remote-registries', {
          url: proxy.url,
          name: 'Stalling',
          apiKey,
          selectedPatterns: [id],
        });
        await open(`admin/remotes/${encodeURIComponent(proxy.url)}`);
        await page.getByRole('button', { name: t('remotes.sync') }).click();
        await page.getByText(t('remotes.running'), { exact: true }).waitFor();
        await page.getByText(/[1-4]([.,]\d)?\sM[Bo] \/ 8\sM[Bo]/).waitFor();
        await page.getByRole('status').getByText(id).waitFor();
        await assertAccessible();
        proxy.resume();
        await page.getByText(t('remotes.updated'), { exact: true }).waitFor();
        await open(`artefacts/${encodeURIComponent(id)}`);
        await page.getByText(t('artefact.mirrored', { origin: proxy.url })).waitFor();
        await assertAccessible();
        await open(`?view=table&origin=${encodeURIComponent(proxy.url)}`);
        await page.getByRole('cell', { name: id }).waitFor();
        await page.getByText(/^1 artefact$/).waitFor();
        await open('admin');
        await page
          .locator('section')
          .filter({ hasText: t('admin.mirrors') })
          .getByText(t('remotes.success'), { exact: true })
          .waitFor();
      } finally {
        proxy.resume();
        await asAdmin(registry, 'DELETE', `/remote-registries/${encodeURIComponent(proxy.url)}`);
        proxy.stop();
      }
    },
    { as },
  );
});
