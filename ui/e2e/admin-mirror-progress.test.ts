import { after, before, describe } from 'node:test';
import { startHeldLink } from './support/held-link.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser, type Variant } from './support/visitor.ts';

const as = 'superadmin';
const suffix = ({ language, width }: Variant) => `${language}-${width}`;

describe('the progress of a mirror', () => {
  withBrowser();
  let registry: Registry;
  let upstream: Registry;
  const it = () => registry;
  before(async () => {
    [registry, upstream] = await Promise.all([startRegistry(), startRegistry({ path: '' })]);
    for (const id of ['@up/one@1', '@up/two@1', '@up/broken@1']) {
      await publish(upstream, id, { format: 'file', file: Buffer.from(id) });
      await edit(upstream, id, { public: true });
    }
  });
  after(() => Promise.all([registry.close(), upstream.close()]));

  journey(
    'a run shows its bytes as they come, and a mirror says where it comes from',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `@large/${suffix(variant)}@1`;
      await publish(upstream, id, { format: 'file', file: Buffer.alloc(8_000_000, id) });
      await edit(upstream, id, { public: true });
      const link = await startHeldLink(upstream.url, 4_000_000);
      try {
        const apiKey = await upstream.readKey({ type: 'organization', id: `watcher-${suffix(variant)}` });
        await asAdmin(registry, 'POST', '/remote-registries', {
          url: link.url,
          name: 'Held',
          apiKey,
          selectedPatterns: [id],
        });
        await open(`admin/remotes/${encodeURIComponent(link.url)}`);
        await page.getByRole('button', { name: t('remotes.sync') }).click();
        await page.getByText(t('remotes.running'), { exact: true }).waitFor();
        await page.getByText(/[1-4]([.,]\d)?\sM[Bo] \/ 8\sM[Bo]/).waitFor();
        await page.getByRole('status').getByText(id).waitFor();
        await assertAccessible();
        link.release();
        await page.getByText(t('remotes.updated'), { exact: true }).waitFor();
        await open(`artefacts/${encodeURIComponent(id)}`);
        await page.getByText(t('artefact.mirrored', { origin: link.url })).waitFor();
        await assertAccessible();
        await open(`?view=table&origin=${encodeURIComponent(link.url)}`);
        await page.getByRole('cell', { name: id }).waitFor();
        await page.getByText(/^1 artefact$/).waitFor();
        await open('admin');
        await page
          .locator('section')
          .filter({ hasText: t('admin.mirrors') })
          .getByText(t('remotes.success'), { exact: true })
          .waitFor();
      } finally {
        link.release();
        await asAdmin(registry, 'DELETE', `/remote-registries/${encodeURIComponent(link.url)}`);
        link.stop();
      }
    },
    { as },
  );
});
