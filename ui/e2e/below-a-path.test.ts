import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PROXY_KINDS } from '../../api/test/support/nginx-example.ts';
import { startPlatform, type Platform } from './support/platform.ts';
import { edit, publish } from './support/registry.ts';
import { DESKTOP, visit, withBrowser, type Visitor } from './support/visitor.ts';

const ID = '@acme/map@1';

describe('in a browser', () => {
  withBrowser();
  for (const path of ['/registry', '/tools/registry']) {
    for (const proxy of PROXY_KINDS) {
      describe(`below ${path}, behind a proxy that ${proxy} the path`, () => {
        let platform: Platform;
        before(async () => {
          platform = await startPlatform({ path, proxy });
          await publish(platform.registry, ID, { format: 'file', file: Buffer.from('x') });
          await edit(platform.registry, ID, { public: true });
        });
        after(() => platform.close());

        const visiting = async (run: (visitor: Visitor) => Promise<void>) => {
          const visitor = await visit(platform.registry, DESKTOP);
          const foreign: string[] = [];
          visitor.page.on('request', (request) => {
            const url = request.url();
            if (!url.startsWith('data:') && !`${url}/`.startsWith(platform.registry.pages)) foreign.push(url);
          });
          await run(visitor);
          assert.deepEqual([visitor.problems, foreign], [[], []]);
          await visitor.context.close();
        };

        test('pages open at their own addresses, and lead to each other', async () => {
          await visiting(async ({ page, t, open }) => {
            await open(`artefacts/${encodeURIComponent(ID)}`);
            await page.getByRole('heading', { level: 1, name: ID }).waitFor();
            await page.getByRole('link', { name: 'Berth' }).click();
            await page.waitForURL(platform.registry.pages);
            await page.locator('.v-card').filter({ hasText: ID }).waitFor();
            // Without the slash of its root.
            await page.goto(platform.registry.pages.slice(0, -1));
            await page.locator('.v-card').filter({ hasText: ID }).click();
            await page.getByRole('link', { name: t('artefact.use') }).waitFor();
          });
        });

        // Slow to render: the assets behind each proxy are tested without a browser.
        if (proxy !== 'cuts') return;
        test('the page of the API shows the operations', async () => {
          await visiting(async ({ page, t, open }) => {
            await open('');
            const link = await page.getByRole('link', { name: t('common.apiDocs') }).getAttribute('href');
            await page.goto(link ?? '');
            await page.locator('.opblock').nth(100).waitFor({ timeout: 60_000 });
          });
        });
      });
    }
  }
});
