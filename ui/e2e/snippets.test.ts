import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { promisify } from 'node:util';
import { HELLO, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { journey, withBrowser } from './support/visitor.ts';

const HELLO_PACKAGE = { name: HELLO.slice(0, HELLO.lastIndexOf('@')), version: '0.13.0' };

describe('the snippets of an artefact', () => {
  withBrowser();
  let registry: Registry;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-snippets-'));
    registry = await startRegistry();
    await publishHello(registry);
  });
  after(async () => {
    await registry.close();
    await rm(folder, { recursive: true });
  });

  /** Runs a command in an environment without installed clients, and returns its output. */
  async function runCommand(line: string, key: string, cwd: string): Promise<string> {
    const env = {
      ...process.env,
      HOME: folder,
      npm_config_cache: join(folder, '.npm'),
      BERTH_URL: registry.pages.slice(0, -1),
      BERTH_API_KEY: key,
    };
    return (await promisify(execFile)('sh', ['-c', line], { cwd, env })).stdout.trim();
  }

  journey(
    'run unchanged, with the clients of this registry',
    () => registry,
    async ({ page, t, open, assertAccessible }) => {
      await open(`artefacts/${encodeURIComponent(HELLO)}?tab=use`);
      await page.getByRole('region', { name: t('artefact.snippetCurl') }).waitFor();
      await assertAccessible();
      const textOf = async (name: string) => page.getByRole('region', { name }).innerText();

      const readKey = await registry.readKey({ type: 'organization', id: 'snippets' });
      const download = await mkdtemp(join(folder, 'download-'));
      await runCommand(await textOf(t('artefact.snippetCurl')), readKey, download);
      assert.equal((await readdir(download)).length, 1);
      const pulled = await runCommand(await textOf(t('artefact.snippetCli')), readKey, download);
      assert.ok((await readdir(pulled)).includes('package.json'));

      const service = await makePackage({ type: 'module' });
      await runCommand(await textOf(t('artefact.snippetInstall')), readKey, service);
      await writeFile(join(service, 'use.js'), `${await textOf(t('artefact.snippetNode'))}\nconsole.log(path);`);
      assert.ok((await readdir(await runCommand('node use.js', readKey, service))).includes('package.json'));

      const plugin = await makePackage(HELLO_PACKAGE);
      const uploadKey = await registry.uploadKey();
      for (const [name, command] of [
        [t('artefact.snippetGithub'), /- run: (.+)/],
        [t('artefact.snippetGitlab'), /^ +- (.+)/m],
      ] as const) {
        const text = await textOf(name);
        assert.ok(text.includes(`BERTH_URL: ${registry.pages.slice(0, -1)}`), name);
        assert.match(await runCommand(command.exec(text)?.[1] ?? '', uploadKey, plugin), new RegExp(HELLO), name);
      }
    },
  );

  async function makePackage(manifest: object): Promise<string> {
    const directory = await mkdtemp(join(folder, 'package-'));
    await writeFile(join(directory, 'package.json'), JSON.stringify(manifest));
    return directory;
  }
});
