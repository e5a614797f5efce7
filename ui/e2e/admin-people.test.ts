import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { asAdmin, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser, type Variant } from './support/visitor.ts';

const as = 'superadmin';
const suffix = ({ language, width }: Variant) => `${language}-${width}`;

describe('administration of users, organisations and their access', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'access is granted to who is found by name, and taken back once it is typed',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `grantee-${suffix(variant)}`;
      await asAdmin(registry, 'POST', '/organizations', { id, name: `Grantee ${suffix(variant)}` });
      await open('admin/grants');
      await page.getByLabel(t('admin.newGrant')).fill(id);
      await page.getByRole('option', { name: new RegExp(id) }).press('Enter');
      await page
        .locator('.entries')
        .getByText(`Grantee ${suffix(variant)}`)
        .waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: `${t('admin.revokeGrant')}: Grantee ${suffix(variant)}` }).click();
      await page
        .getByRole('dialog')
        .getByLabel(t('common.typeToConfirm', { phrase: id }))
        .fill(id);
      await page
        .getByRole('dialog')
        .getByRole('button', { name: t('admin.revokeGrant') })
        .click();
      await page
        .locator('.entries')
        .getByText(`Grantee ${suffix(variant)}`)
        .waitFor({ state: 'detached' });
    },
    { as },
  );

  journey(
    'users are made, disabled, given a link, and deleted',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      const name = `Sailor ${suffix(variant)}`;
      const email = `sailor-${suffix(variant)}@example.org`;
      await open('admin/users');
      await page.getByRole('button', { name: t('admin.newUser') }).click();
      await page.getByLabel(t('common.name'), { exact: true }).fill(name);
      await page.getByLabel(t('common.email')).fill(email);
      await page.getByLabel(t('common.password')).fill('a long pass phrase');
      await assertAccessible();
      await page.getByRole('button', { name: t('common.create'), exact: true }).click();
      const menu = page.getByRole('button', { name: `${t('common.actions')}: ${name}` });
      await menu.click();
      await page.getByText(t('admin.passwordLink'), { exact: true }).click();
      assert.match(
        await page.getByRole('region', { name: t('admin.passwordLink') }).innerText(),
        /reset-password\?token=/,
      );
      await menu.click();
      await page.getByText(t('admin.disable'), { exact: true }).click();
      await page
        .getByRole('dialog')
        .getByRole('button', { name: t('admin.disable') })
        .click();
      await page.getByText(t('admin.disabled'), { exact: true }).first().waitFor();
      await menu.click();
      await page.getByText(t('common.delete'), { exact: true }).click();
      await page
        .getByRole('dialog')
        .getByLabel(t('common.typeToConfirm', { phrase: email }))
        .fill(email);
      await page
        .getByRole('dialog')
        .getByRole('button', { name: t('common.delete') })
        .click();
      await page.getByText(name, { exact: true }).waitFor({ state: 'detached' });
    },
    { as },
  );

  journey(
    'organisations are made with departments and members, and deleted',
    it,
    async ({ page, t, variant, open, assertAccessible }) => {
      const id = `fleet-${suffix(variant)}`;
      await open('admin/organizations');
      await page.getByRole('button', { name: t('admin.newOrganization') }).click();
      await page.getByLabel(t('admin.organizationId')).fill(id);
      await page.getByLabel(t('common.name'), { exact: true }).fill(`Fleet ${suffix(variant)}`);
      await page.getByRole('button', { name: t('common.create'), exact: true }).click();
      await assertAccessible();
      await page.getByText(`Fleet ${suffix(variant)}`).click();
      await page.getByLabel(t('admin.departmentId'), { exact: true }).fill('sea');
      await page.getByLabel(t('common.name'), { exact: true }).fill('The sea');
      await page.getByRole('button', { name: t('admin.newDepartment') }).click();
      await page.getByText('The sea (sea)').waitFor();
      await page.getByRole('button', { name: t('curation.remove', { name: 'The sea' }) }).click();
      await page
        .getByRole('dialog')
        .getByLabel(t('common.typeToConfirm', { phrase: 'sea' }))
        .fill('sea');
      await page
        .getByRole('dialog')
        .getByRole('button', { name: t('common.delete') })
        .click();
      await page.getByText('The sea (sea)').waitFor({ state: 'detached' });
      await page.getByText('admin@example.org').waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: t('common.delete'), exact: true }).click();
      await page
        .getByRole('dialog')
        .getByLabel(t('common.typeToConfirm', { phrase: id }))
        .fill(id);
      await page
        .getByRole('dialog')
        .getByRole('button', { name: t('common.delete') })
        .click();
      await page.waitForURL(/admin\/organizations$/);
    },
    { as },
  );
});
