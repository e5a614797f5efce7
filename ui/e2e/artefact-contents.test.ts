import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { buildPmtiles } from './support/pmtiles-builder.ts';
import { edit, publish, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('the contents of an artefact', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  before(async () => {
    registry = await startRegistry();
    await publishHello(registry);
    const schema = {
      type: 'object',
      required: ['city'],
      properties: {
        city: { type: 'string', title: 'City', description: 'Where to look' },
        depth: { type: 'integer', default: 3 },
        live: { type: 'boolean', title: 'Live' },
        mode: { enum: ['fast', 'slow'] },
      },
    };
    await publish(registry, 'native@1', {
      fields: { architecture: 'arm64' },
      file: await npmTarball({ name: '@acme/native', version: '2.0.1' }),
    });
    await publish(registry, 'native@1', {
      fields: { architecture: 'x64' },
      file: await npmTarball({
        name: '@acme/native',
        version: '2.0.0',
        manifest: {
          license: 'MIT',
          scripts: { install: 'node-gyp rebuild' },
          bundleDependencies: ['addon'],
          registry: { category: 'processing', processingConfigSchema: schema },
        },
        files: {
          'index.js': 'exports.run = 1;\n',
          'lib/deep/file.txt': 'deep inside',
          'data.bin': Buffer.from([0, 1, 2, 255]),
          'node_modules/addon/package.json': {
            name: 'addon',
            version: '1.1.1',
            license: 'ISC',
            scripts: { install: 'node-gyp rebuild' },
          },
          'node_modules/addon/binding.gyp': '{}',
        },
      }),
    });
    await edit(registry, 'native@1', {
      public: true,
      deprecated: true,
      documentation: 'https://example.org/native?a=%3Cscript%3E',
    });
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
    'previews what can be configured, as a form and as JSON',
    it,
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
    'walks through its files and shows texts',
    it,
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
    it,
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
