import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { publish, startRegistry, type Registry } from './support/registry.ts';
import { storedFile } from './support/stored-file.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('administration of storage and the audit log', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    for (const id of ['@acme/one@1', '@acme/two@1', 'other']) {
      await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
    }
  });
  after(() => registry.close());

  journey(
    'the audit log is filtered and exported',
    () => registry,
    async ({ page, t, open, choose, assertAccessible }) => {
      await open('admin/audit');
      await page.getByText('artefact.upload').first().waitFor();
      await page.getByRole('searchbox', { name: t('admin.action') }).fill('artefact.');
      await page.getByRole('searchbox', { name: t('admin.targetId') }).fill('@acme/two@1');
      await page.waitForURL(/target=/);
      await page.waitForFunction(() =>
        [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('@acme/two@1')),
      );
      await assertAccessible();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: t('admin.export') }).click(),
      ]);
      const chunks: Buffer[] = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
      const lines = Buffer.concat(chunks)
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { target: { id: string } });
      assert.ok(lines.length > 0 && lines.every(({ target }) => target.id === '@acme/two@1'));
      await choose(t('admin.outcome'), t('admin.failed'));
      await page.getByText(t('admin.noEvents')).waitFor();
    },
    { as },
  );

  journey(
    'garbage collection runs after a dry run, and an integrity check names artefacts with missing data',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      await open('admin/storage');
      await page.getByRole('button', { name: t('admin.dryRun') }).click();
      await page.getByText(t('admin.wouldRemove')).waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: `${t('admin.scrub')}: ${t('admin.run')}` }).click();
      await page.getByText(t('admin.sound')).waitFor();
      await page.getByRole('button', { name: `${t('admin.sweep')}: ${t('admin.run')}` }).click();
      await page.getByText(t('admin.removed')).waitFor();
      await assertAccessible();
      const lost = `lost-${suffixOf(variant)}`;
      await publish(registry, lost, { format: 'file', file: Buffer.from(lost) });
      await rm(await storedFile(registry, lost));
      await page.getByRole('button', { name: `${t('admin.scrub')}: ${t('admin.run')}` }).click();
      await page.getByText(t('admin.missing', { count: '1' })).waitFor();
      await assertAccessible();
      await page.getByRole('link', { name: lost }).click();
      await page.waitForURL(new RegExp(`artefacts/${lost}$`));
      await publish(registry, lost, { format: 'file', file: Buffer.from(lost) });
    },
    { as },
  );

  journey(
    'progress goes on after a proxy has answered in place of a registry that restarts',
    () => registry,
    async ({ page, t, open, expectFailures }) => {
      expectFailures();
      let refusals = 0;
      await page.route(
        '**/api/v1/storage/events',
        async (route) => {
          refusals++;
          await route.fulfill({ status: 502 });
        },
        { times: 2 },
      );
      await open('admin/storage');
      await page.getByRole('button', { name: t('admin.dryRun') }).waitFor();
      await page.waitForResponse((response) => response.url().endsWith('/storage/events') && response.ok());
      assert.equal(refusals, 2);
      await page.getByRole('button', { name: `${t('admin.scrub')}: ${t('admin.run')}` }).click();
      await page.getByText(t('admin.sound')).waitFor();
    },
    { as },
  );
});
