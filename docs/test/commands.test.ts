// Runs the commands of the guides about publishing and CI verbatim, in a real shell, against a real registry.

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { blocksOf, createHome, EXAMPLE, type Home } from './typed-commands.ts';

describe('the publishing guide', () => {
  let berth: TestServer;
  let user: Home;
  let folder: string;
  before(async () => {
    [berth, user] = await Promise.all([startTestServer(), createHome()]);
    folder = join(user.home, 'import-gpkg');
    await mkdir(folder);
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({
        name: '@acme/import-gpkg',
        version: '1.2.3',
        type: 'module',
        main: 'index.js',
        dependencies: { ms: '2.1.3' },
        registry: { category: 'processing' },
      }),
    );
    await writeFile(join(folder, 'index.js'), "import ms from 'ms';\nexport const run = () => ms(60_000);\n");
    await writeFile(join(folder, 'france.pmtiles'), 'tiles of France');
    await user.type(
      'npm install --package-lock-only --no-audit --no-fund --prefer-offline\ngit init -q\ngit add .\ngit -c ' +
        'user.name=a -c user.email=a@example.org commit -qm one\ngit tag v1.2.3',
      { substitutions: {}, cwd: folder },
    );
  });
  after(async () => {
    await berth.close();
    await rm(user.home, { recursive: true, force: true });
  });

  test('its commands publish, upload, list, show, pull and complete', async () => {
    const blocks = await blocksOf('publishing');
    assert.equal(blocks.length, 6);
    const [publish = '', install = '', application = '', upload = '', pull = '', completion = ''] = blocks;
    const substitutions = { [EXAMPLE]: berth.url, 'reg_…': await berth.uploadKey() };
    assert.match(await user.type(publish, { substitutions, cwd: folder }), /@acme\/import-gpkg@1/);
    assert.match(install, /^npm install --global /);
    await user.installCommand(berth.url);
    await mkdir(join(folder, 'dist'));
    await writeFile(join(folder, 'dist/index.html'), '<!doctype html>');
    assert.match(
      await user.type(`${publish.split('\n', 1)[0]}\n${application}`, { substitutions, cwd: folder }),
      /Published @acme\/import-gpkg@1\.2 noarch/,
    );
    for (const id of ['@acme/import-gpkg@1', '@acme/france']) {
      if (id === '@acme/france')
        assert.match(
          await user.type(`${publish.split('\n', 1)[0]}\n${upload}`, { substitutions, cwd: folder }),
          /Uploaded @acme\/france: france\.pmtiles[^]*id +@acme\/import-gpkg@1/,
        );
      assert.equal(
        (
          await berth.api('PATCH', `/artefacts/${encodeURIComponent(id)}`, {
            headers: berth.internal,
            body: { public: true },
          })
        ).status,
        200,
      );
    }
    await writeFile(join(folder, 'read-key.txt'), await berth.readKey({ type: 'organization', id: 'acme' }));
    const output = await user.type(`${pull}\nnode -e 'import("./index.js").then(({ run }) => console.log(run()))'`, {
      substitutions,
      cwd: folder,
      env: { BERTH_URL: berth.url },
    });
    assert.equal(output, '1m\n');
    assert.equal(
      await user.type(`${completion}\ncomplete -p berth`, { substitutions }),
      'complete -o default -F _berth berth\n',
    );
  });
});

describe('the CI guide', () => {
  test('its commands publish from any CI system, and publish an earlier tag again', async () => {
    const [berth, user] = await Promise.all([startTestServer(), createHome()]);
    const folder = join(user.home, 'import-gpkg');
    const commit = 'git init -q\ngit add .\ngit -c user.name=a -c user.email=a@example.org commit -qm one';
    await mkdir(folder);
    for (const version of ['1.2.2', '1.2.3']) {
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@acme/import-gpkg', version }));
      await user.type(`${commit}\ngit tag v${version}`, { substitutions: {}, cwd: folder });
    }
    const blocks = (await blocksOf('ci')).filter((block) => block.includes('/clients/'));
    const env = { BERTH_URL: berth.url, BERTH_API_KEY: await berth.uploadKey() };
    const versions = [];
    for (const block of blocks) {
      await user.type(block, { substitutions: {}, cwd: folder, env });
      const published = await berth.api('GET', '/artefacts/%40acme%2Fimport-gpkg%401', { headers: berth.internal });
      versions.push(((await published.json()) as { version: string }).version);
    }
    assert.deepEqual(versions, ['1.2.3', '1.2.2']);
    await berth.close();
    await rm(user.home, { recursive: true, force: true });
  });
});
