import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { asAdmin, startRegistry, type Registry } from './support/registry.ts';
import { journey, suffixOf, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('administration of users, organisations and their access', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  journey(
    'access is granted to an account found by name, and revoked once its ID is typed',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const id = `grantee-${suffixOf(variant)}`;
      await asAdmin(registry, 'POST', '/organizations', { id, name: `Grantee ${suffixOf(variant)}` });
      await open('admin/grants');
      await page.getByLabel(t('admin.newGrant')).fill(id);
      await page.getByRole('option', { name: new RegExp(id) }).press('Enter');
      await page
        .locator('.entries')
        .getByText(`Grantee ${suffixOf(variant)}`)
        .waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: `${t('admin.revokeGrant')}: Grantee ${suffixOf(variant)}` }).click();
      await confirmDialog(t('admin.revokeGrant'), id);
      await page
        .locator('.entries')
        .getByText(`Grantee ${suffixOf(variant)}`)
        .waitFor({ state: 'detached' });
    },
    { as },
  );

  journey(
    'users are created, get a password reset link, are disabled and deleted',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const name = `Sailor ${suffixOf(variant)}`;
      const email = `sailor-${suffixOf(variant)}@example.org`;
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
        /reset-password#token=/,
      );
      await menu.click();
      await page.getByText(t('admin.disable'), { exact: true }).click();
      await confirmDialog(t('admin.disable'));
      await page.getByText(t('admin.disabled'), { exact: true }).first().waitFor();
      await menu.click();
      await page.getByText(t('common.delete'), { exact: true }).click();
      await confirmDialog(t('common.delete'), email);
      await page.getByText(name, { exact: true }).waitFor({ state: 'detached' });
    },
    { as },
  );

  journey(
    'a superadmin confirms an address that nobody has proved',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const name = `Doubtful ${suffixOf(variant)}`;
      const email = `doubtful-${suffixOf(variant)}@example.org`;
      const { id } = await asAdmin<{ id: string }>(registry, 'POST', '/users', {
        name,
        email,
        password: 'a pass phrase',
      });
      await asAdmin(registry, 'PATCH', `/users/${id}`, { emailVerified: false });
      await open(`admin/users?q=${email}`);
      await page.getByText(t('account.unproved')).waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: `${t('common.actions')}: ${name}` }).click();
      await page.getByText(t('admin.vouch'), { exact: true }).click();
      await confirmDialog(t('admin.vouch'));
      await page.getByText(t('account.unproved')).waitFor({ state: 'detached' });
    },
    { as },
  );

  journey(
    'organisations are created, get and lose departments, and are deleted',
    () => registry,
    async ({ page, t, variant, open, assertAccessible, confirmDialog }) => {
      const id = `fleet-${suffixOf(variant)}`;
      await open('admin/organizations');
      await page.getByRole('button', { name: t('admin.newOrganization') }).click();
      await page.getByLabel(t('admin.organizationId')).fill(id);
      await page.getByLabel(t('common.name'), { exact: true }).fill(`Fleet ${suffixOf(variant)}`);
      await page.getByRole('button', { name: t('common.create'), exact: true }).click();
      await assertAccessible();
      await page.getByText(`Fleet ${suffixOf(variant)}`).click();
      await page.getByLabel(t('admin.departmentId'), { exact: true }).fill('sea');
      await page.getByLabel(t('common.name'), { exact: true }).fill('The sea');
      await page.getByRole('button', { name: t('admin.newDepartment') }).click();
      await page.getByText('The sea (sea)').waitFor();
      await page.getByRole('button', { name: t('curation.remove', { name: 'The sea' }) }).click();
      await confirmDialog(t('common.delete'), 'sea');
      await page.getByText('The sea (sea)').waitFor({ state: 'detached' });
      await page.getByText('admin@example.org').waitFor();
      await assertAccessible();
      await page.getByRole('button', { name: t('common.delete'), exact: true }).click();
      await confirmDialog(t('common.delete'), id);
      await page.waitForURL(/admin\/organizations$/);
    },
    { as },
  );
});
