import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { give } from './support/give.ts';
import { asAdmin, startRegistry, type Registry } from './support/registry.ts';
import { AT_A_DESK, journey, withBrowser, type Variant } from './support/visitor.ts';

/** More than one request of the page carries. */
const LARGE_BYTES = 100 * 1024 * 1024;

describe('uploading', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  const idFor = (name: string, { language, width }: Variant) => `${name}-${language}-${width}`;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'uploads an npm tarball by drag and drop',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = idFor('dropped', variant);
      await open('upload');
      await assertAccessible();
      await give(page, '.zone', 'drop', {
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
    'says what is wrong with a tarball that is none',
    it,
    async ({ page, t, variant, open, expectFailures }) => {
      expectFailures();
      await open(`upload?id=${idFor('broken', variant)}`);
      await give(page, '.zone', 'drop', {
        name: 'broken.tgz',
        type: 'application/gzip',
        bytes: Buffer.from('this is no tarball'),
      });
      await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
      await page.getByRole('alert').getByText(/gzip/).waitFor();
      assert.equal(
        (await registry.api('GET', `/artefacts/${idFor('broken', variant)}`, { headers: registry.internal })).status,
        404,
      );
    },
    { as: 'superadmin' },
  );

  journey(
    'goes on with a large file where it was cut, in another visit',
    it,
    async ({ page, context, t, variant, open, expectFailures }) => {
      expectFailures();
      const id = idFor('large', variant);
      const path = join(await mkdtemp(join(tmpdir(), 'berth-large-')), 'large.bin');
      const bytes = randomBytes(LARGE_BYTES);
      await writeFile(path, bytes);
      const offsets: number[] = [];
      let isCut = true;
      await context.route('**/api/v1/uploads/*', async (route, request) => {
        if (request.method() !== 'PATCH') return route.continue();
        const offset = Number(request.headers()['upload-offset']);
        if (isCut && offset > 0) return route.abort();
        offsets.push(offset);
        return route.continue();
      });
      const send = async () => {
        await open(`upload?id=${id}`);
        await page.locator('input[type=file]').setInputFiles(path);
        await page.getByRole('button', { name: t('browse.upload'), exact: true }).click();
      };
      // As long as the upload itself below: what the browser sends passes through the test.
      const cut = page.waitForEvent('requestfailed', { timeout: 60_000 });
      await send();
      await cut;
      await page.getByRole('progressbar', { name: t('curation.upload') }).waitFor();
      await page.getByText(t('curation.resumes')).waitFor();
      isCut = false;
      await send();
      await page.waitForURL(new RegExp(`artefacts/${id}$`), { timeout: 60_000 });
      assert.equal(offsets.filter((offset) => offset === 0).length, 1);
      assert.equal(
        (await asAdmin<{ digest?: string }>(registry, 'GET', `/artefacts/${id}`)).digest,
        `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      );
    },
    { as: 'superadmin', variants: [AT_A_DESK] },
  );
});
