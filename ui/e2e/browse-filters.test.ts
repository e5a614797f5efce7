import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startWithTilesets } from './support/many-tilesets.ts';
import type { Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('filters', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startWithTilesets();
  });
  after(() => registry.close());

  journey(
    'narrow the list by category and format, sort it, show deprecated artefacts, and are cleared',
    () => registry,
    async ({ page, t, variant, open, choose, assertAccessible }) => {
      await open('');
      if (variant.width === 390) await page.getByRole('button', { name: t('browse.filters') }).click();
      await choose(t('browse.category'), 'tileset');
      await page.waitForURL(/category=tileset/);
      await page.getByText(/^29 artefacts$/).waitFor();
      await page.getByLabel(t('browse.deprecated')).check();
      await page.getByText(/^30 artefacts$/).waitFor();
      await choose(t('browse.sort'), t('browse.nameUp'));
      await page.getByRole('heading', { level: 2, name: 'tiles-00' }).waitFor();
      await page.getByText(t('browse.isDeprecated'), { exact: true }).waitFor();
      await assertAccessible();
      await choose(t('browse.format'), t('browse.npm'));
      await page.getByText(t('browse.none')).waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: t('browse.clear') }).click();
      const group = page.getByLabel(t('browse.group'), { exact: true });
      await group.fill(variant.language === 'fr' ? 'Exemples' : 'Samples');
      await group.press('Enter');
      await page.waitForURL(/group=/);
      await page.getByText(/^1 artefact$/).waitFor();
      await group.fill('');
      await group.press('Enter');
      await page.getByText(/^31 artefacts$/).waitFor();
      assert.equal(new URL(page.url()).search, '');
    },
  );
});
