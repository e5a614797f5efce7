import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { edit, HELLO, publish, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

describe('browsing', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  before(async () => {
    registry = await startRegistry();
    for (let index = 0; index < 30; index++) {
      const id = `tiles-${String(index).padStart(2, '0')}`;
      await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
      await edit(registry, id, { public: true });
    }
    const longName = `@acme/${'very-long-name-'.repeat(12)}@1`;
    await publish(registry, longName, { format: 'file', file: Buffer.from('long'), fields: { category: 'other', title: JSON.stringify({ en: 'x'.repeat(300), fr: 'y'.repeat(300) }), description: JSON.stringify({ en: 'A long text. '.repeat(100) }) } });
    await edit(registry, longName, { public: true });
    await publishHello(registry);
    await edit(registry, 'tiles-00', { deprecated: true });
  });
  after(() => registry.close());

  journey('finds an artefact as one types, keeps it in the address, and goes to it', it, async ({ page, t, variant, open, assertAccessible }) => {
    await open('');
    await page.getByRole('heading', { level: 1, name: t('browse.title') }).waitFor();
    await page.getByText(variant.language === 'fr' ? 'Bonjour le monde' : 'Hello world').waitFor();
    await assertAccessible();
    await page.getByLabel(t('common.search')).first().fill('hello pROCESsing');
    await page.waitForURL(/\?q=hello(\+|%20)pROCESsing/);
    await page.getByText(/^1 artefact$/).waitFor();
    await page.getByText('Says hello.').or(page.getByText('Dit bonjour.')).click();
    await page.waitForURL((url) => url.pathname === `/registry/artefacts/${encodeURIComponent(HELLO)}`);
    await page.goBack();
    assert.equal(await page.getByLabel(t('common.search')).first().inputValue(), 'hello pROCESsing');
  });

  journey('narrows by category and format, sorts, shows deprecated ones, and clears it all', it, async ({ page, t, variant, open, choose, assertAccessible }) => {
    await open('');
    if (variant.width === 390) await page.getByRole('button', { name: t('browse.filters') }).click();
    await choose(t('browse.category'), 'tileset');
    await page.waitForURL(/category=tileset/);
    await page.getByText(/^29 artefacts$/).waitFor();
    await page.getByLabel(t('browse.deprecated')).check();
    await page.getByText(/^30 artefacts$/).waitFor();
    await choose(t('browse.sort'), t('browse.nameUp'));
    await page.getByRole('heading', { level: 2, name: 'tiles-00' }).waitFor();
    await page.getByText(t('browse.isDeprecated'), { exact: true }).waitFor();
    await assertAccessible();
    await choose(t('browse.format'), t('browse.npm'));
    await page.getByText(t('browse.none')).waitFor();
    await assertAccessible();
    await page.getByRole('button', { name: t('browse.clear') }).click();
    const group = page.getByLabel(t('browse.group'), { exact: true });
    await group.fill(variant.language === 'fr' ? 'Exemples' : 'Samples');
    await group.press('Enter');
    await page.waitForURL(/group=/);
    await page.getByText(/^1 artefact$/).waitFor();
    await group.fill('');
    await group.press('Enter');
    await page.getByText(/^31 artefacts$/).waitFor();
    assert.equal(new URL(page.url()).search, '');
  });

  journey('turns pages and changes between cards and a table', it, async ({ page, t, open, assertAccessible }) => {
    await open('?sort=name');
    await page.getByRole('button', { name: t('common.next') }).click();
    await page.waitForURL(/page=2/);
    await page.getByRole('button', { name: new RegExp(t('browse.table')) }).click();
    await page.waitForURL(/view=table/);
    await page.getByRole('cell', { name: /tiles-29/ }).waitFor();
    await assertAccessible();
    await page.reload();
    await page.getByRole('cell', { name: /tiles-29/ }).waitFor();
  });
});

describe('an empty registry', () => {
  withBrowser();
  let registry: Registry;
  before(async () => { registry = await startRegistry({ path: '' }); });
  after(() => registry.close());

  journey('says why nothing is there, and works without a path', () => registry, async ({ page, t, open, assertAccessible }) => {
    await open('');
    await page.getByText(t('browse.emptyAnonymous')).waitFor();
    await assertAccessible();
  });
});
