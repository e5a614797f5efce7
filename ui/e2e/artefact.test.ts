import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { publishNative } from './support/native-artefact.ts';
import { asAdmin, HELLO, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, signIn, suffixOf, withBrowser } from './support/visitor.ts';

const HELLO_PAGE = `artefacts/${encodeURIComponent(HELLO)}`;

describe('the page of an artefact', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await publishHello(registry);
    await publishNative(registry);
  });
  after(() => registry.close());

  journey(
    'shows an anonymous visitor the artefact, and why they cannot download it',
    () => registry,
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
    'tells a user without an access grant whom to ask',
    () => registry,
    async ({ page, context, t, variant, open, assertAccessible }) => {
      const email = `member-${suffixOf(variant)}@example.org`;
      await asAdmin(registry, 'POST', '/users', { email, name: 'Member', password: 'second mate 2' });
      await signIn(context, registry, email, 'second mate 2');
      await open(HELLO_PAGE);
      await page.getByText(t('artefact.downloadGrant')).waitFor();
      assert.equal(await page.getByRole('link', { name: new RegExp(t('artefact.download')) }).count(), 0);
      await assertAccessible();
    },
  );

  journey(
    'lets a superadmin download it, and shows who uploaded it',
    () => registry,
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
    () => registry,
    async ({ page, t, open, assertAccessible, expectFailures }) => {
      // The README is missing.
      expectFailures();
      await open('artefacts/native%401');
      await page.getByText(t('artefact.deprecated')).waitFor();
      for (const text of ['x64', 'arm64', '2.0.1']) await page.getByText(text, { exact: true }).first().waitFor();
      await page.getByText(t('artefact.native'), { exact: true }).waitFor();
      await page.getByText(t('artefact.scripts'), { exact: true }).waitFor();
      for (const [warning, count] of [
        ['nameCollision', '2'],
        ['windowsName', '1'],
      ] as const)
        await page.getByText(t(`artefact.${warning}`, { count })).waitFor();
      await page.getByText(t('artefact.noReadme')).waitFor();
      await assertAccessible();
      await page.getByRole('link', { name: t('artefact.packages') }).click();
      await assertAccessible();
    },
  );
});
