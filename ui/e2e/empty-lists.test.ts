import { after, before, describe } from 'node:test';
import { someInThisRun } from '../../api/test/support/combinations.ts';
import { LISTS, saveScreenshot } from './support/lists.ts';
import { startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

const as = 'superadmin';

describe('lists', () => {
  withBrowser();
  let empty: Registry;
  before(async () => {
    empty = await startRegistry();
  });
  after(() => empty.close());

  journey(
    'say that they are empty',
    () => empty,
    async (visitor) => {
      for (const [name, { page, emptyKey }] of someInThisRun(
        Object.entries(LISTS).filter(([, { emptyKey }]) => emptyKey),
        5,
      )) {
        if (!emptyKey) continue;
        await visitor.open(page);
        await visitor.page.getByText(visitor.t(emptyKey)).waitFor();
        await visitor.assertAccessible();
        await saveScreenshot(visitor, `${name}-empty`);
      }
    },
    { as },
  );
});

describe('an empty registry', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry({ path: '' });
  });
  after(() => registry.close());

  journey(
    'explains why it is empty, and works without a path in its URL',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open('');
      await page.getByText(t('browse.emptyAnonymous')).waitFor();
      await assertAccessible();
    },
  );
});
