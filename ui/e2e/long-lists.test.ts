import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { someInThisRun } from '../../api/test/support/combinations.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { LISTS, saveScreenshot } from './support/lists.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

const as = 'superadmin';
const LONG_ID = `@acme/${'long-'.repeat(30)}x@1`;
const LONG_NAME = 'W'.repeat(180);

describe('lists', () => {
  withBrowser();
  let full: Registry;
  before(async () => {
    full = await startRegistry();
    const file = await npmTarball({
      name: '@acme/long',
      manifest: { license: 'A-very-long-licence-expression OR another-one '.repeat(4), bundleDependencies: ['inner'] },
      files: {
        'README.md': `# ${LONG_NAME}\n\n${LONG_NAME}`,
        [`${'deep/'.repeat(12)}file.txt`]: LONG_NAME,
        'node_modules/inner/package.json': { name: 'inner', version: '1.0.0' },
      },
    });
    await publish(full, LONG_ID, {
      file,
      fields: {
        title: JSON.stringify({ en: LONG_NAME, fr: LONG_NAME }),
        description: JSON.stringify({ en: LONG_NAME.repeat(5) }),
      },
    });
    await edit(full, LONG_ID, { group: { en: LONG_NAME } });
    await asAdmin(full, 'POST', '/users', {
      email: `${'w'.repeat(60)}@example.org`,
      name: LONG_NAME,
      password: 'a long pass phrase',
    });
    const id = 'o'.repeat(120);
    await asAdmin(full, 'POST', '/organizations', { id, name: LONG_NAME });
    await asAdmin(full, 'POST', '/access-grants', { account: { type: 'organization', id, name: LONG_NAME } });
    await asAdmin(full, 'POST', '/api-keys', { type: 'upload', name: LONG_NAME, allowedNamePrefix: LONG_ID });
    await asAdmin(full, 'POST', '/trusted-publishers', {
      name: LONG_NAME,
      provider: 'gitlab',
      repository: `acme/${'geo/'.repeat(50)}x`,
      branch: 'b'.repeat(250),
      environment: LONG_NAME,
      allowedNamePrefix: LONG_ID,
    });
    await asAdmin(full, 'POST', '/api-keys', { type: 'read', name: LONG_NAME, owner: { type: 'organization', id } });
    await asAdmin(full, 'POST', '/remote-registries', {
      url: `http://127.0.0.1:9/${'path/'.repeat(20)}`,
      name: LONG_NAME,
      apiKey: 'x',
      selectedPatterns: [`${LONG_ID}*`],
    });
    await asAdmin(
      full,
      'POST',
      `/remote-registries/${encodeURIComponent(`http://127.0.0.1:9/${'path/'.repeat(20)}`.replace(/\/$/, ''))}/sync`,
    );
  });
  after(() => full.close());

  journey(
    'fit texts of the maximum length',
    () => full,
    async (visitor) => {
      const remote = (await asAdmin<{ results: { _id: string }[] }>(full, 'GET', '/remote-registries')).results[0];
      assert.ok(remote);
      const artefact = `artefacts/${encodeURIComponent(LONG_ID)}`;
      const pages = {
        ...Object.fromEntries(Object.entries(LISTS).map(([name, { page }]) => [name, page])),
        cards: '',
        artefact,
        use: `${artefact}?tab=use`,
        packages: `${artefact}?tab=packages`,
        files: `${artefact}?tab=files&file=${'deep%2F'.repeat(12)}file.txt`,
        manage: `${artefact}?tab=manage`,
        organization: `admin/organizations/${'o'.repeat(120)}`,
        remote: `admin/remotes/${encodeURIComponent(remote._id)}`,
      };
      // There is no registry at the long URL.
      visitor.expectFailures();
      for (const [name, page] of someInThisRun(Object.entries(pages), 5)) {
        await visitor.open(page);
        await visitor.page.getByRole('heading', { level: 1 }).first().waitFor();
        await visitor.page.getByRole('progressbar').first().waitFor({ state: 'hidden' });
        await visitor.assertAccessible();
        await saveScreenshot(visitor, `${name}-long`);
      }
    },
    { as },
  );
});
