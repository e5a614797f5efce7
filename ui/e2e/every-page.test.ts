import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { publishHello, startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, journey, visit, withBrowser } from './support/visitor.ts';

describe('every page', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await publishHello(registry);
  });
  after(() => registry.close());

  journey(
    'reports that the registry is unreachable, and loads on retry',
    () => registry,
    async ({ page, t, open, assertAccessible, expectFailures }) => {
      expectFailures();
      await page.route('**/api/v1/artefacts?**', (route) => route.abort());
      await open('');
      await page.getByText(t('common.unreachable')).waitFor();
      await assertAccessible();
      await page.unroute('**/api/v1/artefacts?**');
      await page.getByRole('button', { name: t('common.retry') }).click();
      await page.getByText(/^1 artefact$/).waitFor();
    },
  );

  journey(
    'works with the keyboard alone',
    () => registry,
    async ({ page, t, open }) => {
      await open('?q=hello');
      await page.getByText('Says hello.').or(page.getByText('Dit bonjour.')).waitFor();
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), t('common.skip'));
      await page.keyboard.press('Enter');
      for (let presses = 0; presses < 30; presses++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate(() => document.activeElement?.classList.contains('v-card'))) break;
      }
      await page.keyboard.press('Enter');
      await page.waitForURL(/artefacts\/%40data-fair/);
    },
  );

  journey(
    'remembers language and theme',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      await open('');
      await page.getByRole('button', { name: t('common.theme') }).click();
      await assertAccessible();
      await page.getByRole('button', { name: t('common.language') }).click();
      await page.getByText(variant.language === 'en' ? 'Français' : 'English').click();
      await page
        .getByLabel(variant.language === 'en' ? 'Rechercher' : 'Search')
        .first()
        .waitFor();
      await page.reload();
      await page
        .getByLabel(variant.language === 'en' ? 'Rechercher' : 'Search')
        .first()
        .waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.lang), variant.language === 'en' ? 'fr' : 'en');
      await page.locator('.v-theme--dark').first().waitFor();
    },
  );

  test('an unknown URL is reported as not found', async () => {
    const visitor = await visit(registry, DESKTOP);
    for (const path of ['nowhere/at/all', 'artefacts/nowhere']) {
      await visitor.open(path);
      await visitor.page.getByText(visitor.t('common.notFound')).waitFor();
      await visitor.assertAccessible();
    }
    await visitor.context.close();
  });
});
