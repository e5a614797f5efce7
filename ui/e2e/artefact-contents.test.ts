import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { publishNative } from './support/native-artefact.ts';
import { buildPmtiles } from './support/pmtiles-builder.ts';
import { edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('the contents of an artefact', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await publishNative(registry);
    await publish(registry, 'world.pmtiles', {
      format: 'file',
      fileName: 'world.pmtiles',
      file: buildPmtiles(),
      fields: { category: 'tileset' },
    });
    await edit(registry, 'world.pmtiles', { public: true });
  });
  after(() => registry.close());

  journey(
    'previews the configuration as a form and as JSON',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open('artefacts/native%401?tab=configuration');
      await page.getByLabel(`City (${t('artefact.required')})`).waitFor();
      assert.equal(await page.getByLabel('depth').inputValue(), '3');
      await page.getByText('Where to look').waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: t('artefact.schemaJson') }).click();
      await page.getByText('"Where to look"').waitFor();
      await assertAccessible();
    },
  );

  journey(
    'browses the files and shows text files',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open('artefacts/native%401?tab=files');
      await page.getByText('lib', { exact: true }).click();
      await page.getByText('deep', { exact: true }).click();
      await page.getByText('file.txt').click();
      await page.getByText('deep inside').waitFor();
      await assertAccessible();
      await page.getByRole('link', { name: t('artefact.root'), exact: true }).click();
      await page.getByText('data.bin').click();
      await page.getByText(t('artefact.binary')).waitFor();
    },
    { as: 'superadmin' },
  );

  journey(
    'draws a tileset on a map',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      const ranges = page.waitForResponse((response) => response.status() === 206);
      await open('artefacts/world.pmtiles?tab=map');
      await page
        .getByRole('region', { name: t('artefact.mapOf', { id: 'world.pmtiles' }) })
        .locator('canvas')
        .waitFor();
      await ranges;
      await page.waitForFunction(() => document.querySelector('canvas')?.width);
      await assertAccessible();
    },
    { as: 'superadmin' },
  );
});
