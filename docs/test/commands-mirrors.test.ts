// Runs the commands of the federation guide verbatim, in a real shell, against two real registries.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN_EMAIL, ADMIN_PASSWORD, startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { blocksOf, createHome, EXAMPLE, type Home } from './typed-commands.ts';

describe('the federation guide', () => {
  let [staging, production] = [] as unknown as [TestServer, TestServer];
  let user: Home;
  before(async () => {
    [staging, production, user] = await Promise.all([startTestServer(), startTestServer(), createHome()]);
    await user.installCommand(production.url);
    await writeFile(join(user.home, 'password.txt'), ADMIN_PASSWORD);
    for (const [id, category] of [
      ['@acme/hello@1', 'other'],
      ['@acme/hello@2', 'other'],
      ['france', 'tileset'],
    ] as const) {
      assert.equal(
        (await staging.upload(id, { format: 'file', file: Buffer.from(id), fields: { category } })).status,
        201,
      );
      await staging.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
        headers: staging.internal,
        body: { public: true },
      });
    }
  });
  after(async () => {
    await Promise.all([staging.close(), production.close()]);
    await rm(user.home, { recursive: true, force: true });
  });

  test('its commands work, and mirror what the patterns select', async () => {
    const [onStaging = '', onProduction = ''] = await blocksOf('federation');
    const registries = { 'https://staging.example.org': staging.url, [EXAMPLE]: production.url };
    const substitutions = { ...registries, 'admin@example.org': ADMIN_EMAIL };
    await user.type(onStaging, { substitutions });
    assert.match(await user.type(onProduction, { substitutions }), /staging: 2 artefacts updated .+, 0 failed\.\n$/);

    const rows = [
      ...(await readFile(join(repositoryRoot, 'docs/guides/federation.md'), 'utf8')).matchAll(
        /^\|[^|]+\| `(berth remotes [^`]+)`/gm,
      ),
    ].map(([, command = '']) => command);
    assert.equal(rows.length, 11);
    for (const command of rows)
      await user.type(command, { substitutions: { ...substitutions, '@acme/import-gpkg@1': '@acme/hello@2' } });
    const { results } = (await (
      await production.api('GET', '/artefacts', { headers: production.internal })
    ).json()) as { results: { _id: string; origin?: string }[] };
    assert.deepEqual(results.map(({ _id, origin }) => [_id, origin]).sort(), [
      ['@acme/hello@1', undefined],
      ['@acme/hello@2', undefined],
      ['france', undefined],
    ]);
  });
});
