// Signs in through the form of the page.

import type { Visitor } from './visitor.ts';

export async function signInByForm({ page, t }: Visitor, email: string, password: string): Promise<void> {
  await page.getByLabel(t('common.email')).fill(email);
  await page.getByLabel(t('common.password')).fill(password);
  await page
    .locator('main')
    .getByRole('button', { name: t('common.signIn'), exact: true })
    .click();
}
