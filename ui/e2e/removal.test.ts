import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { asAdmin, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

interface Document {
  deprecated: boolean;
  tarballs?: Record<string, object>;
}

describe('removal', () => {
  withBrowser();
  let registry: Registry;
  const read = (id: string) => asAdmin<Document>(registry, 'GET', `/artefacts/${encodeURIComponent(id)}`);
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'deprecates an artefact, then deletes a slot and the artefact once their names are typed',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const id = `doomed-${suffixOf(variant)}`;
      const file = await npmTarball({ name: 'doomed' });
      for (const architecture of ['noarch', 'x64']) await publish(registry, id, { file, fields: { architecture } });
      await open(`artefacts/${id}?tab=manage`);
      await page.getByRole('button', { name: t('curation.deprecate') }).click();
      await page.getByRole('button', { name: t('curation.undeprecate') }).waitFor();
      assert.equal((await read(id)).deprecated, true);
      await page.getByRole('link', { name: t('artefact.overview') }).click();
      await page.getByRole('button', { name: `${t('common.delete')} x64` }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel(t('common.typeToConfirm', { phrase: 'x64' })).fill('x6');
      assert.equal(await dialog.getByRole('button', { name: t('common.delete') }).isDisabled(), true);
      await assertAccessible();
      await confirmDialog(t('common.delete'), 'x64');
      await page.getByText('x64', { exact: true }).waitFor({ state: 'detached' });
      assert.deepEqual(Object.keys((await read(id)).tarballs ?? {}), ['noarch']);
      await page.getByRole('link', { name: t('artefact.manage') }).click();
      await page.getByRole('button', { name: t('curation.deleteArtefact') }).click();
      await confirmDialog(t('common.delete'), id);
      await page.waitForURL((url) => url.pathname === '/registry/');
      assert.equal((await registry.api('GET', `/artefacts/${id}`, { headers: registry.internal })).status, 404);
    },
    { as: 'superadmin' },
  );
});
