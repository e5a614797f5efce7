import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const SENTENCE = 'Imports <b>GeoPackage</b> files.';
/** As long as it can be, and without a space at which a line could break. */
const UNBROKEN = 'x'.repeat(2000);

describe('the description of a package', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'is shown as text in the list and on the page, until there is a curated one',
    () => registry,
    async ({ page, variant, open, assertAccessible }) => {
      const described = `described-${suffixOf(variant)}`;
      const long = `long-${suffixOf(variant)}`;
      for (const [id, description] of [
        [described, SENTENCE],
        [long, UNBROKEN],
      ] as const) {
        await publish(registry, id, { file: await npmTarball({ name: `@acme/${id}`, manifest: { description } }) });
        await edit(registry, id, { public: true });
      }
      await open(`?q=${suffixOf(variant)}`);
      const card = page.locator('.v-card').filter({ hasText: described });
      await card.getByText(SENTENCE).waitFor();
      const height = (await page.locator('.v-card').filter({ hasText: long }).boundingBox())?.height ?? 0;
      assert.ok(height > 100 && height < 300, `${height} px`);
      await assertAccessible();
      await card.click();
      await page.locator('header').getByText(SENTENCE).waitFor();
      await assertAccessible();
      await open(`artefacts/${long}`);
      await page.locator('header').getByText(UNBROKEN).waitFor();
      await assertAccessible();
      await edit(registry, described, { description: { fr: 'Importe des fichiers.' } });
      for (const path of [`artefacts/${described}`, `?q=${described}`]) {
        await open(path);
        await page.getByText('Importe des fichiers.').waitFor();
        assert.equal(await page.getByText(SENTENCE).count(), 0);
      }
    },
  );
});
