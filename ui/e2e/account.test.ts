import { after, before, describe } from 'node:test';
import { become } from './support/become.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('my account', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  before(async () => {
    registry = await startRegistry();
    for (const [id, name] of [
      ['acme', 'Acme'],
      ['ungranted', 'Without a grant'],
    ])
      await asAdmin(registry, 'POST', '/organizations', { id, name });
    await asAdmin(registry, 'POST', '/access-grants', { account: { type: 'organization', id: 'acme' } });
    await publish(registry, 'of-acme', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'of-acme', { privateAccess: [{ type: 'organization', id: 'acme' }] });
  });
  after(() => registry.close());

  journey('tells who one is and what one may', it, async (visitor) => {
    const { page, t, open, assertAccessible } = visitor;
    await become(registry, visitor, 'plain');
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
  });

  journey('switches the account, and with it what is seen', it, async (visitor) => {
    const { page, t, open } = visitor;
    await become(registry, visitor, 'switching', { acme: 'member' });
    await open('');
    await page.getByText(t('browse.emptyMember')).waitFor();
    await page.getByRole('button', { name: t('common.account') }).click();
    await page.getByText('Acme', { exact: true }).click();
    await page.getByText('of-acme').waitFor();
  });
});
