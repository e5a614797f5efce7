// A user who types what the guides tell, as it stands, in a real shell.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/runtime.ts';

/** The registry of the guides. */
export const EXAMPLE = 'https://registry.example.org';
const run = promisify(execFile);

/** The shell blocks of a guide, in their order. */
export async function blocksOf(guide: string): Promise<string[]> {
  return [
    ...(await readFile(join(repositoryRoot, 'docs/guides', `${guide}.md`), 'utf8')).matchAll(/```sh\n([^]*?)```/g),
  ].map(([, block = '']) => block);
}

export interface TypeOptions {
  stands: Record<string, string>;
  cwd?: string;
  env?: Record<string, string>;
}

export interface Home {
  home: string;
  type(commands: string, options: TypeOptions): Promise<string>;
  /** Installs the command from a registry, as the guide about publishing tells. */
  installCommand(registryUrl: string): Promise<void>;
}

/** A user's home, where nothing is installed yet. */
export async function createHome(): Promise<Home> {
  const home = await mkdtemp(join(tmpdir(), 'berth-typed-'));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(BERTH_|GITHUB_|CI_|XDG_)/.test(name));
  const environment = {
    ...Object.fromEntries(inherited),
    HOME: home,
    PATH: `${home}/.local/bin:${process.env['PATH']}`,
    npm_config_prefix: `${home}/.local`,
    npm_config_cache: `${home}/.npm`,
  };
  const type: Home['type'] = async (commands, { stands, cwd = home, env = {} }) => {
    const typed = Object.entries(stands).reduce((text, [example, real]) => text.replaceAll(example, real), commands);
    return (await run('bash', ['-euo', 'pipefail', '-c', typed], { cwd, env: { ...environment, ...env } })).stdout;
  };
  return {
    home,
    type,
    async installCommand(registryUrl) {
      const install = (await blocksOf('publishing')).filter((block) => block.startsWith('npm install --global'));
      assert.equal(install.length, 1);
      await type(install[0]!, { stands: { [EXAMPLE]: registryUrl } });
      assert.equal(await type('command -v berth', { stands: {} }), `${home}/.local/bin/berth\n`);
    },
  };
}
