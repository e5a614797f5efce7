import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { getArtefact, migratePlugins } from '../dist/index.js';
import type { MigrationResult } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import { makeDirectory } from './support/setting.ts';

async function makePlugin(folder: string, manifest: object): Promise<string> {
  await mkdir(join(folder, 'node_modules/inner'), { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'index.js'), 'exports.run = () => 1;\n');
  await writeFile(
    join(folder, 'node_modules/inner/package.json'),
    JSON.stringify({ name: 'inner', version: '2.0.0', license: 'ISC' }),
  );
  return folder;
}

test('a service uploads its plug-ins at its first start, and nothing at the next', async (t) => {
  const berth = await startBerth();
  t.after(() => berth.close());
  const folder = await makeDirectory(t);
  const plugin = await makePlugin(join(folder, 'held'), { name: '@acme/held', version: '1.2.3' });
  await writeFile(join(folder, 'tiles.mbtiles'), 'tiles');
  const reported: MigrationResult[] = [];
  const options = {
    registryUrl: berth.url,
    secretKey: berth.secretKey,
    grants: [{ type: 'organization' as const, id: 'acme' }],
    plugins: [
      {
        artefactId: '@acme/held@1',
        path: plugin,
        category: 'processing',
        title: { en: 'Held' },
        privateAccess: [{ type: 'organization' as const, id: 'acme' }],
      },
      { artefactId: '@acme/gone@1', path: join(folder, 'nowhere') },
      {
        artefactId: 'tiles',
        path: join(folder, 'tiles.mbtiles'),
        format: 'file' as const,
        category: 'tileset',
        public: true,
      },
    ],
  };
  const first = await migratePlugins({
    ...options,
    onResult: (result) => {
      reported.push(result);
    },
  });
  assert.deepEqual(
    first.results.map(({ artefactId, status, metadata }) => [artefactId, status, metadata]),
    [
      ['@acme/held@1', 'uploaded', ['title', 'privateAccess']],
      ['@acme/gone@1', 'failed', []],
      ['tiles', 'uploaded', ['public']],
    ],
  );
  assert.match(first.results[1]?.reason ?? '', /nowhere/);
  assert.deepEqual(reported, first.results);
  assert.deepEqual([first.isComplete, first.grants.map(({ status }) => status)], [false, ['granted']]);
  const held = await getArtefact({ registryUrl: berth.url, secretKey: berth.secretKey, artefactId: '@acme/held@1' });
  assert.deepEqual(
    [held.packageName, held.version, held.category, held.privateAccess],
    ['@acme/held', '1.2.3', 'processing', [{ type: 'organization', id: 'acme' }]],
  );

  const again = await migratePlugins(options);
  assert.deepEqual(
    again.results.map(({ status, metadata }) => [status, metadata]),
    [
      ['present', []],
      ['failed', []],
      ['present', []],
    ],
  );
  assert.deepEqual(
    again.grants.map(({ status }) => status),
    ['present'],
  );
  assert.equal(
    (await getArtefact({ registryUrl: berth.url, secretKey: berth.secretKey, artefactId: '@acme/held@1' }))
      .dataUpdatedAt,
    held.dataUpdatedAt,
  );
});

test('equal folders make equal bytes', async (t) => {
  const berth = await startBerth();
  t.after(() => berth.close());
  const digests: (string | undefined)[] = [];
  for (const name of ['one', 'two']) {
    const plugin = await makePlugin(join(await makeDirectory(t), name), { name: '@acme/held', version: '1.2.3' });
    await migratePlugins({
      registryUrl: berth.url,
      secretKey: berth.secretKey,
      plugins: [{ artefactId: name, path: plugin }],
    });
    digests.push(
      (await getArtefact({ registryUrl: berth.url, secretKey: berth.secretKey, artefactId: name })).tarballs?.[
        'noarch'
      ]?.digest,
    );
  }
  assert.ok(digests[0]);
  assert.equal(digests[0], digests[1]);
});

test('an invalid option throws before any request; refusals are in the report', async () => {
  await assert.rejects(migratePlugins({ registryUrl: 'http://localhost:9', plugins: 'all' } as never), TypeError);
  await assert.rejects(
    migratePlugins({ registryUrl: 'http://localhost:9', plugins: [], grants: [{ id: 'acme' }] } as never),
    TypeError,
  );
  const { isComplete, results } = await migratePlugins({
    registryUrl: 'http://127.0.0.1:9',
    retries: 0,
    plugins: [{ artefactId: 'a', path: '.' }],
  });
  assert.deepEqual([isComplete, results[0]?.status], [false, 'failed']);
});
