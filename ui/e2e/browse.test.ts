import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startWithTilesets } from './support/many-tilesets.ts';
import { HELLO, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('browsing', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startWithTilesets();
  });
  after(() => registry.close());

  journey(
    'finds an artefact while typing, keeps the search in the URL, and opens the artefact',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      await open('');
      await page.getByRole('heading', { level: 1, name: t('browse.title') }).waitFor();
      await page.getByText(variant.language === 'fr' ? 'Bonjour le monde' : 'Hello world').waitFor();
      await assertAccessible();
      await page.getByLabel(t('common.search')).first().fill('hello pROCESsing');
      await page.waitForURL(/\?q=hello(\+|%20)pROCESsing/);
      await page.getByText(/^1 artefact$/).waitFor();
      await page.getByText('Says hello.').or(page.getByText('Dit bonjour.')).click();
      await page.waitForURL((url) => url.pathname === `/registry/artefacts/${encodeURIComponent(HELLO)}`);
      await page.goBack();
      assert.equal(await page.getByLabel(t('common.search')).first().inputValue(), 'hello pROCESsing');
    },
  );

  journey(
    'goes to the next page and switches from cards to a table',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open('?sort=name');
      await page.getByRole('button', { name: t('common.next') }).click();
      await page.waitForURL(/page=2/);
      await page.getByRole('button', { name: new RegExp(t('browse.table')) }).click();
      await page.waitForURL(/view=table/);
      await page.getByRole('cell', { name: /tiles-29/ }).waitFor();
      await assertAccessible();
      await page.reload();
      await page.getByRole('cell', { name: /tiles-29/ }).waitFor();
    },
  );
});
