import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { HELLO, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

const encoded = encodeURIComponent;
const REMOTE = 'https://registry.example.org/a?b#c';

/** Addresses of the registry that Berth replaces, and where they lead. */
const FORMER = {
  'admin/api-keys': 'admin/keys',
  'admin/access-grants': 'admin/grants',
  'admin/remote-registries': 'admin/remotes',
  [`admin/remote-registries/${encoded(REMOTE)}`]: `admin/remotes/${encoded(REMOTE)}`,
  'admin/artefacts': '',
  [`admin/artefacts/${encoded(HELLO)}`]: `artefacts/${encoded(HELLO)}`,
  'artefacts': '',
};

describe('bookmarks', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await publishHello(registry);
  });
  after(() => registry.close());

  journey(
    'of the registry that Berth replaces lead to the same pages, with query and fragment',
    () => registry,
    async ({ page, t, open, expectFailures }) => {
      // The remote registry does not exist.
      expectFailures();
      for (const [from, to] of Object.entries(FORMER)) {
        await open(`${from}?page=1&q=a%2Fb#here`);
        await page.waitForURL(({ pathname }) => pathname === `/registry/${to}`);
        const { searchParams, hash } = new URL(page.url());
        assert.deepEqual([...searchParams, hash], [['page', '1'], ['q', 'a/b'], '#here'], from);
        await page.getByRole('heading', { level: 1 }).waitFor();
        assert.equal(await page.getByText(t('common.notFoundHelp')).count(), 0, from);
      }
    },
    { as: 'superadmin' },
  );
});
