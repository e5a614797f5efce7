import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { transferFile } from './support/file-transfer.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

interface Document {
  title?: object;
  description?: object;
  group?: object;
  public: boolean;
  privateAccess: object[];
  thumbnail?: { id: string };
}

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

describe('curation', () => {
  withBrowser();
  let registry: Registry;
  const read = (id: string) => asAdmin<Document>(registry, 'GET', `/artefacts/${encodeURIComponent(id)}`);
  before(async () => {
    registry = await startRegistry();
    await asAdmin(registry, 'POST', '/organizations', { id: 'acme', name: 'Acme Incorporated' });
    await asAdmin(registry, 'PUT', '/organizations/acme/departments/geo', { name: 'Geography' });
    await publish(registry, 'grouped', { format: 'file', file: Buffer.from('x'), fields: { category: 'tileset' } });
    await edit(registry, 'grouped', { group: { en: 'Base maps', fr: 'Fonds de carte' } });
  });
  after(() => registry.close());

  journey(
    'sets texts in both languages, and a group that is suggested',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `described-${suffixOf(variant)}`;
      await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
      await open(`artefacts/${id}?tab=manage`);
      const english = t('curation.english');
      const french = t('curation.french');
      await page.getByLabel(t('curation.titleIn', { language: english })).fill('A map');
      await assertAccessible();
      await page.getByLabel(t('curation.titleIn', { language: french })).fill('Une carte');
      await page.getByLabel(t('curation.descriptionIn', { language: english })).fill('Of the world');
      await page.getByLabel(t('curation.groupIn', { language: english })).fill('Base');
      // By keyboard: a list that is still being positioned may move away from the pointer.
      await page.getByRole('option', { name: 'Base maps' }).press('Enter');
      await page
        .locator('form')
        .filter({ hasText: t('curation.metadata') })
        .getByRole('button', { name: t('common.save') })
        .click();
      await page.getByRole('heading', { level: 1, name: variant.language === 'fr' ? 'Une carte' : 'A map' }).waitFor();
      const { title, description, group } = await read(id);
      assert.deepEqual(
        { title, description, group },
        { title: { en: 'A map', fr: 'Une carte' }, description: { en: 'Of the world' }, group: { en: 'Base maps' } },
      );
    },
    { as: 'superadmin' },
  );

  journey(
    'shares an artefact with an account found by name, then makes it public',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `shared-${suffixOf(variant)}`;
      await publish(registry, id, { format: 'file', file: Buffer.from(id) });
      await open(`artefacts/${id}?tab=manage`);
      const form = page.locator('form').filter({ hasText: t('curation.access') });
      await form.getByLabel(t('curation.findAccount')).fill('geography');
      await page.getByText(t('curation.noAccount')).waitFor();
      await form.getByLabel(t('curation.findAccount')).fill('acme');
      await page.getByRole('option', { name: 'Acme Incorporated / Geography' }).waitFor();
      await assertAccessible();
      await page.getByRole('option', { name: 'Acme Incorporated / Geography' }).press('Enter');
      await form.getByText('Acme Incorporated / geo').waitFor();
      await form.getByRole('button', { name: t('common.save') }).click();
      await page.getByText(t('common.saved')).first().waitFor();
      assert.deepEqual((await read(id)).privateAccess, [
        { type: 'organization', id: 'acme', name: 'Acme Incorporated', department: 'geo' },
      ]);
      await form.getByLabel(t('curation.isPublic')).check();
      await form.getByRole('button', { name: t('common.save') }).click();
      await page.waitForFunction(
        async (path) => ((await (await fetch(path)).json()) as { public: boolean }).public,
        `api/v1/artefacts/${id}`,
      );
      assert.equal((await read(id)).public, true);
    },
    { as: 'superadmin' },
  );

  journey(
    'accepts a thumbnail by drop and by paste, and refuses a file that is not an image',
    () => registry,
    async ({ page, t, variant, open, expectFailures }) => {
      const id = `pictured-${suffixOf(variant)}`;
      await publish(registry, id, { format: 'file', file: Buffer.from(id) });
      await open(`artefacts/${id}?tab=manage`);
      await page.getByText(t('curation.thumbnailHelp')).waitFor();
      await transferFile(page, '.zone', 'drop', { name: 'pixel.png', type: 'image/png', bytes: PIXEL });
      await page.getByRole('button', { name: t('curation.removeThumbnail') }).waitFor();
      const first = (await read(id)).thumbnail?.id;
      assert.ok(first);
      await page.locator(`img[src*="${first}"]`).first().waitFor();
      await transferFile(page, 'body', 'paste', { name: 'pixel.png', type: 'image/png', bytes: PIXEL });
      await page.waitForFunction(
        async ([path, before]) => ((await (await fetch(path!)).json()) as Document).thumbnail?.id !== before,
        [`api/v1/artefacts/${id}`, first],
      );
      expectFailures();
      await page.getByText(t('curation.thumbnailHelp')).waitFor();
      await transferFile(page, '.zone', 'drop', {
        name: 'text.png',
        type: 'image/png',
        bytes: Buffer.from('no picture'),
      });
      await page.locator('[role=alert] .notice').waitFor();
      await page.getByRole('button', { name: t('curation.removeThumbnail') }).click();
      await page.waitForFunction(
        async (path) => !((await (await fetch(path)).json()) as Document).thumbnail,
        `api/v1/artefacts/${id}`,
      );
    },
    { as: 'superadmin' },
  );
});
