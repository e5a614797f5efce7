import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { transferFile } from './support/file-transfer.ts';
import { asAdmin, startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, journey, suffixOf, withBrowser } from './support/visitor.ts';

/** More than the page sends in one request. */
const LARGE_BYTES = 100 * 1024 * 1024;

describe('uploading', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'uploads an npm tarball by drag and drop',
    () => registry,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `dropped-${suffixOf(variant)}`;
      await open('upload');
      await assertAccessible();
      await transferFile(page, '.zone', 'drop', {
        name: 'dropped-3.1.4.tgz',
        type: 'application/gzip',
        bytes: await npmTarball({ name: 'dropped', version: '3.1.4' }),
      });
      assert.equal(await page.getByLabel(t('curation.artefactId')).inputValue(), 'dropped@3');
      await page.getByLabel(t('curation.artefactId')).fill(id);
      await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
      await page.waitForURL(new RegExp(`artefacts/${id}$`));
      await page.getByText('3.1.4', { exact: true }).first().waitFor();
    },
    { as: 'superadmin' },
  );

  journey(
    'explains why an invalid tarball is refused',
    () => registry,
    async ({ page, t, variant, open, expectFailures }) => {
      expectFailures();
      const id = `broken-${suffixOf(variant)}`;
      await open(`upload?id=${id}`);
      await transferFile(page, '.zone', 'drop', {
        name: 'broken.tgz',
        type: 'application/gzip',
        bytes: Buffer.from('this is no tarball'),
      });
      await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
      await page.getByRole('alert').getByText(/gzip/).waitFor();
      assert.equal((await registry.api('GET', `/artefacts/${id}`, { headers: registry.internal })).status, 404);
    },
    { as: 'superadmin' },
  );

  journey(
    'resumes an interrupted upload of a large file in another visit',
    () => registry,
    async ({ page, context, t, variant, open, expectFailures }) => {
      expectFailures();
      const id = `large-${suffixOf(variant)}`;
      const path = join(await mkdtemp(join(tmpdir(), 'berth-large-')), 'large.bin');
      const bytes = randomBytes(LARGE_BYTES);
      await writeFile(path, bytes);
      const offsets: number[] = [];
      let isInterrupted = true;
      await context.route('**/api/v1/uploads/*', async (route, request) => {
        if (request.method() !== 'PATCH') return route.continue();
        const offset = Number(request.headers()['upload-offset']);
        if (isInterrupted && offset > 0) return route.abort();
        offsets.push(offset);
        return route.continue();
      });
      const send = async () => {
        await open(`upload?id=${id}`);
        await page.locator('input[type=file]').setInputFiles(path);
        await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
      };
      // As long as the upload below: the browser's requests pass through the test.
      const interruption = page.waitForEvent('requestfailed', { timeout: 60_000 });
      await send();
      await interruption;
      await page.getByRole('progressbar', { name: t('curation.upload') }).waitFor();
      await page.getByText(t('curation.resumes')).waitFor();
      isInterrupted = false;
      await send();
      await page.waitForURL(new RegExp(`artefacts/${id}$`), { timeout: 60_000 });
      assert.equal(offsets.filter((offset) => offset === 0).length, 1);
      assert.equal(
        (await asAdmin<{ digest?: string }>(registry, 'GET', `/artefacts/${id}`)).digest,
        `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      );
    },
    { as: 'superadmin', variants: [DESKTOP] },
  );
});
