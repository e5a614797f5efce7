// Runs the commands of the guide about monorepos verbatim, in a workspace of npm, and its table of tags.

import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { artefactIdFor } from '../../cli/src/ref.ts';
import { npmInstall, writeFiles } from '../../cli/test/packages.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { blocksOf, createHome, EXAMPLE, type Home } from './typed-commands.ts';

describe('the guide about monorepos', () => {
  let berth: TestServer;
  let user: Home;
  let folder: string;
  before(async () => {
    [berth, user] = await Promise.all([startTestServer(), createHome()]);
    await user.installCommand(berth.url);
    folder = writeFiles(join(user.home, 'monorepo'), {
      'package.json': { private: true, workspaces: ['packages/*'] },
      'packages/plugin/package.json': { name: '@acme/plugin', version: '1.2.3', dependencies: { ms: '2.1.3' } },
      '.gitignore': 'node_modules\n',
    });
    await npmInstall(folder);
    const commit = 'git -c user.name=a -c user.email=a@example.org commit -qm one';
    await user.type(`git init -q\ngit add .\n${commit}`, { substitutions: {}, cwd: folder });
  });
  after(async () => {
    await berth.close();
    await rm(user.home, { recursive: true, force: true });
  });

  test('its commands publish the package with its dependencies', async () => {
    const blocks = await blocksOf('monorepos');
    const [byBranch = '', byTag = '', byVersion = ''] = blocks;
    assert.equal(blocks.length, 3);
    const substitutions = { [EXAMPLE]: berth.url, 'reg_…': await berth.uploadKey() };
    const setting = `export BERTH_URL=${EXAMPLE} BERTH_API_KEY=reg_…\n`;
    for (const [block, id] of [
      [byBranch, '@acme/plugin@main'],
      [byTag, '@acme/plugin@1'],
      [byVersion, '@acme/plugin@1'],
    ] as const) {
      const printed = await user.type(setting + block, { substitutions, cwd: folder });
      assert.match(printed, new RegExp(`^Published ${id} noarch: @acme/plugin 1\\.2\\.3`, 'm'));
    }
    const path = `/artefacts/${encodeURIComponent('@acme/plugin@1')}/packages`;
    assert.match(await (await berth.api('GET', path, { headers: berth.internal })).text(), /"ms"/);
  });

  test('its table says what becomes of a tag', async () => {
    const guide = await readFile(join(repositoryRoot, 'docs/guides/monorepos.md'), 'utf8');
    const [, table = ''] = /\n\| tag \|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)*)/.exec(guide) ?? [];
    let count = 0;
    for (const [, tags = '', outcome = ''] of table.matchAll(/^\| (.*?) \| (.*?) \|$/gm)) {
      for (const [, name = ''] of tags.matchAll(/`(.*?)`/g)) {
        const publish = () =>
          artefactIdFor({ name: '@acme/plugin', version: '1.2.3' }, { type: 'tag', name }, { isFlat: false });
        if (outcome.startsWith('refused')) assert.throws(publish, /^Error: tag /);
        else assert.equal(publish(), /`(.*?)`/.exec(outcome)?.[1]);
        count++;
      }
    }
    assert.equal(count, 7);
  });
});
