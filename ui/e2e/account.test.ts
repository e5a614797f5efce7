import { after, before, describe } from 'node:test';
import { signInAsNewUser } from './support/new-user.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('my account', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await asAdmin(registry, 'POST', '/organizations', { id: 'acme', name: 'Acme' });
    await publish(registry, 'of-acme', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'of-acme', { privateAccess: [{ type: 'organization', id: 'acme' }] });
  });
  after(() => registry.close());

  journey(
    'shows the profile and the rights of the user',
    () => registry,
    async (visitor) => {
      const { page, t, open, assertAccessible } = visitor;
      await signInAsNewUser(registry, visitor, 'plain');
      await open('account');
      await page.getByText(t('account.notGranted')).waitFor();
      await assertAccessible();
      for (const part of ['organizations', 'keys', 'security'] as const) {
        await page.getByRole('link', { name: t(`account.${part}`) }).click();
        await assertAccessible();
      }
      await open('admin');
      await page.getByText(t('common.forbidden')).waitFor();
      await assertAccessible();
    },
  );

  journey(
    'switches the active account, and shows what that account can see',
    () => registry,
    async (visitor) => {
      const { page, t, open } = visitor;
      await signInAsNewUser(registry, visitor, 'switching', { acme: 'member' });
      await open('');
      await page.getByText(t('browse.emptyMember')).waitFor();
      await page.getByRole('button', { name: t('common.account') }).click();
      await page.getByText('Acme', { exact: true }).click();
      await page.getByText('of-acme').waitFor();
    },
  );
});
