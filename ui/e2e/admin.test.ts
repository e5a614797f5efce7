import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { startHeldLink } from './support/held-link.ts';
import { journey, withBrowser, type Variant } from './support/visitor.ts';

const as = 'superadmin';
const suffix = ({ language, width }: Variant) => `${language}-${width}`;

describe('administration', () => {
  withBrowser();
  let registry: Registry;
  let upstream: Registry;
  const it = () => registry;
  before(async () => {
    [registry, upstream] = await Promise.all([startRegistry(), startRegistry({ path: '' })]);
    for (const id of ['@acme/one@1', '@acme/two@1', 'other']) await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
    await asAdmin(registry, 'POST', '/api-keys', { type: 'upload', name: 'About to end', expiresAt: new Date(Date.now() + 10 * 86_400_000).toISOString() });
    for (const id of ['@up/one@1', '@up/two@1', '@up/broken@1']) {
      await publish(upstream, id, { format: 'file', file: Buffer.from(id) });
      await edit(upstream, id, { public: true });
    }
  });
  after(() => Promise.all([registry.close(), upstream.close()]));

  journey('the dashboard counts what is there', it, async ({ page, t, open, assertAccessible }) => {
    await open('admin');
    await page.getByText(t('admin.stored')).waitFor();
    await page.getByText('@acme/one@1').waitFor();
    await page.getByText('About to end').waitFor();
    await page.getByRole('img', { name: new RegExp(t('admin.uploads')) }).waitFor();
    await assertAccessible();
  }, { as });

  journey('an upload key is made with scopes whose reach is shown first', it, async ({ page, t, variant, open, choose, assertAccessible }) => {
    await open('admin/keys');
    await page.getByRole('button', { name: t('account.newKey') }).click();
    await page.getByText(t('admin.previewAll')).waitFor();
    await page.getByLabel(t('account.keyName')).fill(`CI ${suffix(variant)}`);
    await page.getByLabel(t('admin.scopePrefix')).fill('@acme/');
    await choose(t('admin.scopeCategory'), 'tileset');
    await page.getByText('@acme/two@1').waitFor();
    assert.equal(await page.getByRole('listitem').getByText('other', { exact: true }).count(), 0);
    await assertAccessible();
    await page.getByRole('button', { name: t('common.create'), exact: true }).click();
    const key = (await page.getByRole('region', { name: t('account.theKey') }).innerText()).trim();
    await page.getByRole('cell', { name: `CI ${suffix(variant)}` }).first().waitFor();
    await assertAccessible();
    const upload = async (id: string) => (await registry.upload(id, { format: 'file', file: Buffer.from('x'), fields: { category: 'tileset' }, headers: { 'x-api-key': key } })).status;
    assert.deepEqual([await upload('@acme/one@1'), await upload('other')], [201, 403]);
  }, { as });

  journey('a repository is trusted to publish without a key, and no more', it, async ({ page, t, variant, open, choose, assertAccessible }) => {
    const name = `gpkg ${suffix(variant)}`;
    await open('admin/publishers');
    await page.getByRole('button', { name: t('publishers.add') }).click();
    await page.getByLabel(t('common.name'), { exact: true }).fill(name);
    await choose(t('publishers.provider'), 'GitLab');
    await page.getByLabel(t('publishers.repository'), { exact: true }).fill('acme/geo/import-gpkg');
    await page.getByLabel(t('publishers.environment'), { exact: true }).fill('production');
    await page.getByLabel(t('admin.scopePrefix')).fill('@acme/');
    await assertAccessible();
    await page.getByRole('button', { name: t('common.create'), exact: true }).click();
    const row = page.getByRole('row').filter({ hasText: name });
    await row.getByText('https://gitlab.com', { exact: true }).waitFor();
    await assertAccessible();
    const listed = async () => (await (await registry.api('GET', '/trusted-publishers', { headers: await registry.superadmin() })).json() as { results: Record<string, unknown>[] }).results.find((publisher) => publisher['name'] === name);
    assert.partialDeepStrictEqual(await listed(), { provider: 'gitlab', repository: 'acme/geo/import-gpkg', environment: 'production', allowedNamePrefix: '@acme/' });
    await page.getByRole('button', { name: `${t('publishers.remove')}: ${name}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('publishers.remove') }).click();
    await row.waitFor({ state: 'detached' });
    assert.equal(await listed(), undefined);
  }, { as });

  journey('access is granted to who is found by name, and taken back once it is typed', it, async ({ page, t, variant, open, assertAccessible }) => {
    const id = `grantee-${suffix(variant)}`;
    await asAdmin(registry, 'POST', '/organizations', { id, name: `Grantee ${suffix(variant)}` });
    await open('admin/grants');
    await page.getByLabel(t('admin.newGrant')).fill(id);
    await page.getByRole('option', { name: new RegExp(id) }).press('Enter');
    await page.locator('.entries').getByText(`Grantee ${suffix(variant)}`).waitFor();
    await assertAccessible();
    await page.getByRole('button', { name: `${t('admin.revokeGrant')}: Grantee ${suffix(variant)}` }).click();
    await page.getByRole('dialog').getByLabel(t('common.typeToConfirm', { phrase: id })).fill(id);
    await page.getByRole('dialog').getByRole('button', { name: t('admin.revokeGrant') }).click();
    await page.locator('.entries').getByText(`Grantee ${suffix(variant)}`).waitFor({ state: 'detached' });
  }, { as });

  journey('users are made, disabled, given a link, and deleted', it, async ({ page, t, variant, open, assertAccessible }) => {
    const name = `Sailor ${suffix(variant)}`;
    const email = `sailor-${suffix(variant)}@example.org`;
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
    assert.match(await page.getByRole('region', { name: t('admin.passwordLink') }).innerText(), /reset-password\?token=/);
    await menu.click();
    await page.getByText(t('admin.disable'), { exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('admin.disable') }).click();
    await page.getByText(t('admin.disabled'), { exact: true }).first().waitFor();
    await menu.click();
    await page.getByText(t('common.delete'), { exact: true }).click();
    await page.getByRole('dialog').getByLabel(t('common.typeToConfirm', { phrase: email })).fill(email);
    await page.getByRole('dialog').getByRole('button', { name: t('common.delete') }).click();
    await page.getByText(name, { exact: true }).waitFor({ state: 'detached' });
  }, { as });

  journey('organisations are made with departments and members, and deleted', it, async ({ page, t, variant, open, assertAccessible }) => {
    const id = `fleet-${suffix(variant)}`;
    await open('admin/organizations');
    await page.getByRole('button', { name: t('admin.newOrganization') }).click();
    await page.getByLabel(t('admin.organizationId')).fill(id);
    await page.getByLabel(t('common.name'), { exact: true }).fill(`Fleet ${suffix(variant)}`);
    await page.getByRole('button', { name: t('common.create'), exact: true }).click();
    await assertAccessible();
    await page.getByText(`Fleet ${suffix(variant)}`).click();
    await page.getByLabel(t('admin.departmentId'), { exact: true }).fill('sea');
    await page.getByLabel(t('common.name'), { exact: true }).fill('The sea');
    await page.getByRole('button', { name: t('admin.newDepartment') }).click();
    await page.getByText('The sea (sea)').waitFor();
    await page.getByRole('button', { name: t('curation.remove', { name: 'The sea' }) }).click();
    await page.getByRole('dialog').getByLabel(t('common.typeToConfirm', { phrase: 'sea' })).fill('sea');
    await page.getByRole('dialog').getByRole('button', { name: t('common.delete') }).click();
    await page.getByText('The sea (sea)').waitFor({ state: 'detached' });
    await page.getByText('admin@example.org').waitFor();
    await assertAccessible();
    await page.getByRole('button', { name: t('common.delete'), exact: true }).click();
    await page.getByRole('dialog').getByLabel(t('common.typeToConfirm', { phrase: id })).fill(id);
    await page.getByRole('dialog').getByRole('button', { name: t('common.delete') }).click();
    await page.waitForURL(/admin\/organizations$/);
  }, { as });

  journey('the audit log is filtered and exported', it, async ({ page, t, open, choose, assertAccessible }) => {
    await open('admin/audit');
    await page.getByText('artefact.upload').first().waitFor();
    await page.getByRole('searchbox', { name: t('admin.action') }).fill('artefact.');
    await page.getByRole('searchbox', { name: t('admin.targetId') }).fill('@acme/two@1');
    await page.waitForURL(/target=/);
    await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('@acme/two@1')));
    await assertAccessible();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: t('admin.export') }).click()]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks).toString().trim().split('\n').map((line) => JSON.parse(line) as { target: { id: string } });
    assert.ok(lines.length > 0 && lines.every(({ target }) => target.id === '@acme/two@1'));
    await choose(t('admin.outcome'), t('admin.failed'));
    await page.getByText(t('admin.noEvents')).waitFor();
  }, { as });

  journey('a remote registry is mirrored by click and by pattern, its failures are told and tried again', it, async ({ page, t, variant, open, assertAccessible }) => {
    const key = await upstream.readKey({ type: 'organization', id: `mirror-${suffix(variant)}` });
    await open('admin/remotes');
    await page.getByRole('button', { name: t('remotes.add') }).click();
    await page.getByLabel(t('remotes.url')).fill(upstream.url);
    await page.getByLabel(t('common.name'), { exact: true }).fill('Upstream');
    await page.getByLabel(t('remotes.apiKey')).fill(key);
    await assertAccessible();
    await page.locator('form').getByRole('button', { name: t('remotes.add') }).click();
    await page.getByText('Upstream', { exact: true }).click();
    await page.getByLabel(t('remotes.select', { id: '@up/one@1' })).check();
    await page.getByRole('cell', { name: '@up/one@1' }).waitFor();
    await page.getByText(t('remotes.synced'), { exact: true }).waitFor();
    await assertAccessible();
    const broken = `broken for ${suffix(variant)}`;
    await publish(upstream, '@up/broken@1', { format: 'file', file: Buffer.from(broken) });
    await rm(await fileWith(upstream, broken));
    await page.getByLabel(t('remotes.patterns')).fill('@up/*');
    await page.getByRole('button', { name: t('common.save') }).click();
    await page.getByText(t('common.saved')).waitFor();
    await page.getByRole('button', { name: t('remotes.sync') }).click();
    await page.getByText(t('remotes.failed'), { exact: true }).waitFor();
    await page.getByRole('cell', { name: '@up/two@1' }).waitFor();
    await page.getByRole('button', { name: t('remotes.retry') }).waitFor();
    await publish(upstream, '@up/broken@1', { format: 'file', file: Buffer.from(`mended for ${suffix(variant)}`) });
    await page.getByRole('button', { name: t('remotes.retry') }).click();
    await page.getByText(t('remotes.failed'), { exact: true }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: t('remotes.verify') }).click();
    await page.getByText(t('remotes.unchanged'), { exact: true }).nth(2).waitFor();
    await page.getByText(t('remotes.success'), { exact: true }).waitFor();
    await page.getByRole('button', { name: t('remotes.remove') }).click();
    await page.getByRole('dialog').getByLabel(t('common.typeToConfirm', { phrase: 'Upstream' })).fill('Upstream');
    await page.getByRole('dialog').getByRole('button', { name: t('remotes.remove') }).click();
    await page.waitForURL(/admin\/remotes$/);
    await page.getByText(t('remotes.none')).waitFor();
    for (const id of ['@up/one@1', '@up/two@1', '@up/broken@1']) await asAdmin(registry, 'DELETE', `/artefacts/${encodeURIComponent(id)}`);
  }, { as });

  journey('a run shows its bytes as they come, and a mirror says where it comes from', it, async ({ page, t, variant, open, assertAccessible }) => {
    const id = `@large/${suffix(variant)}@1`;
    await publish(upstream, id, { format: 'file', file: Buffer.alloc(8_000_000, id) });
    await edit(upstream, id, { public: true });
    const link = await startHeldLink(upstream.url, 4_000_000);
    try {
      const apiKey = await upstream.readKey({ type: 'organization', id: `watcher-${suffix(variant)}` });
      await asAdmin(registry, 'POST', '/remote-registries', { url: link.url, name: 'Held', apiKey, selectedPatterns: [id] });
      await open(`admin/remotes/${encodeURIComponent(link.url)}`);
      await page.getByRole('button', { name: t('remotes.sync') }).click();
      await page.getByText(t('remotes.running'), { exact: true }).waitFor();
      await page.getByText(/[1-4]([.,]\d)?\sM[Bo] \/ 8\sM[Bo]/).waitFor();
      await page.getByRole('status').getByText(id).waitFor();
      await assertAccessible();
      link.release();
      await page.getByText(t('remotes.updated'), { exact: true }).waitFor();
      await open(`artefacts/${encodeURIComponent(id)}`);
      await page.getByText(t('artefact.mirrored', { origin: link.url })).waitFor();
      await assertAccessible();
      await open(`?view=table&origin=${encodeURIComponent(link.url)}`);
      await page.getByRole('cell', { name: id }).waitFor();
      await page.getByText(/^1 artefact$/).waitFor();
      await open('admin');
      await page.locator('section').filter({ hasText: t('admin.mirrors') }).getByText(t('remotes.success'), { exact: true }).waitFor();
    } finally {
      link.release();
      await asAdmin(registry, 'DELETE', `/remote-registries/${encodeURIComponent(link.url)}`);
      link.stop();
    }
  }, { as });

  journey('storage is swept, tried first, and scrubbed, and what is lost is named', it, async ({ page, t, variant, open, assertAccessible }) => {
    await open('admin/storage');
    await page.getByRole('button', { name: t('admin.dryRun') }).click();
    await page.getByText(t('admin.wouldRemove')).waitFor();
    await assertAccessible();
    await page.getByRole('button', { name: `${t('admin.scrub')}: ${t('admin.run')}` }).click();
    await page.getByText(t('admin.sound')).waitFor();
    await page.getByRole('button', { name: `${t('admin.sweep')}: ${t('admin.run')}` }).click();
    await page.getByText(t('admin.removed')).waitFor();
    await assertAccessible();
    const lost = `lost-${suffix(variant)}`;
    await publish(registry, lost, { format: 'file', file: Buffer.from(lost) });
    await rm(await fileWith(registry, lost));
    await page.getByRole('button', { name: `${t('admin.scrub')}: ${t('admin.run')}` }).click();
    await page.getByText(t('admin.missing', { count: '1' })).waitFor();
    await assertAccessible();
    await page.getByRole('link', { name: lost }).click();
    await page.waitForURL(new RegExp(`artefacts/${lost}$`));
    await publish(registry, lost, { format: 'file', file: Buffer.from(lost) });
  }, { as });
});

/** The file with these bytes, which are on a disk here. */
async function fileWith(registry: Registry, bytes: string): Promise<string> {
  const folder = join(registry.dataDir, 'blobs');
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && await readFile(path, 'utf8') === bytes) return path;
  }
  throw new Error(`No file holds ${bytes}.`);
}
