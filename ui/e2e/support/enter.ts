// Signs in by the form.

import type { Visitor } from './visitor.ts';

export async function enter({ page, t }: Visitor, email: string, password: string): Promise<void> {
  await page.getByLabel(t('common.email')).fill(email);
  await page.getByLabel(t('common.password')).fill(password);
  await page
    .locator('main')
    .getByRole('button', { name: t('common.signIn'), exact: true })
    .click();
}
