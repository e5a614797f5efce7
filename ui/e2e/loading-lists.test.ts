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
    'show progress while loading, and the error if loading fails',
    () => empty,
    async (visitor) => {
      visitor.expectFailures();
      for (const [name, { page, route }] of someInThisRun(Object.entries(LISTS), 3)) {
        let fail: () => void = () => undefined;
        const failed = new Promise<void>((resolve) => {
          fail = resolve;
        });
        await visitor.page.route(route, async (request) => {
          await failed;
          await request.abort();
        });
        await visitor.open(page);
        await visitor.page.getByRole('progressbar').first().waitFor();
        await visitor.assertAccessible();
        await saveScreenshot(visitor, `${name}-loading`);
        fail();
        await visitor.page.getByText(visitor.t('common.unreachable')).first().waitFor();
        await visitor.assertAccessible();
        await saveScreenshot(visitor, `${name}-error`);
        await visitor.page.unroute(route);
        await visitor.page
          .getByRole('button', { name: visitor.t('common.retry') })
          .first()
          .click();
        await visitor.page.getByText(visitor.t('common.unreachable')).first().waitFor({ state: 'detached' });
      }
    },
    { as },
  );
});
