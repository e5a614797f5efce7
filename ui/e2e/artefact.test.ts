import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { buildPmtiles } from './support/pmtiles-builder.ts';
import { asAdmin, edit, HELLO, publish, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, signIn, withBrowser } from './support/visitor.ts';

const HELLO_PAGE = `artefacts/${encodeURIComponent(HELLO)}`;

describe('the page of an artefact', () => {
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
    'tells a stranger what it is, and why he cannot download it',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      await open(HELLO_PAGE);
      await page
        .getByRole('heading', { level: 1, name: variant.language === 'fr' ? 'Bonjour le monde' : 'Hello world' })
        .waitFor();
      await page.getByText('Minimal plugin for data-fair/processings').waitFor();
      await page.getByText(t('artefact.downloadSignIn')).waitFor();
      assert.equal(await page.getByRole('link', { name: new RegExp(t('artefact.download')) }).count(), 0);
      await assertAccessible();
      const { digest } = (
        (await (await registry.api('GET', `/artefacts/${encodeURIComponent(HELLO)}`)).json()) as {
          tarballs: { noarch: { digest: string } };
        }
      ).tarballs.noarch;
      await page.getByRole('button', { name: `${t('common.copy')}: ${t('artefact.digest')}` }).click();
      await page.getByRole('button', { name: t('common.copied') }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), digest);
    },
  );

  journey(
    'tells a member without a grant whom to ask',
    it,
    async ({ page, context, t, variant, open, assertAccessible }) => {
      const email = `member-${variant.language}-${variant.width}@example.org`;
      await asAdmin(registry, 'POST', '/users', { email, name: 'Member', password: 'second mate 2' });
      await signIn(context, registry, email, 'second mate 2');
      await open(HELLO_PAGE);
      await page.getByText(t('artefact.downloadGrant')).waitFor();
      assert.equal(await page.getByRole('link', { name: new RegExp(t('artefact.download')) }).count(), 0);
      await assertAccessible();
    },
  );

  journey(
    'gives its bytes to who may have them, and tells who uploaded them',
    it,
    async ({ page, t, open }) => {
      await open(HELLO_PAGE);
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: new RegExp(t('artefact.download')) }).click(),
      ]);
      const sha256 = createHash('sha256')
        .update(await readFile(await download.path()))
        .digest('hex');
      await page.getByText(`sha256:${sha256}`).waitFor();
      await page.getByText(t('common.internalService')).first().waitFor();
    },
    { as: 'superadmin' },
  );

  journey(
    'shows slots, badges, licences and deprecation',
    it,
    async ({ page, t, open, assertAccessible, expectFailures }) => {
      // There is no README.
      expectFailures();
      await open('artefacts/native%401');
      await page.getByText(t('artefact.deprecated')).waitFor();
      for (const text of ['x64', 'arm64', '2.0.1']) await page.getByText(text, { exact: true }).first().waitFor();
      await page.getByText(t('artefact.native'), { exact: true }).waitFor();
      await page.getByText(t('artefact.scripts'), { exact: true }).waitFor();
      await page.getByText(t('artefact.noReadme')).waitFor();
      await assertAccessible();
      await page.getByRole('link', { name: t('artefact.packages') }).click();
      await assertAccessible();
    },
  );
});
