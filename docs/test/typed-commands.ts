// Runs the commands of the guides verbatim in a real shell, as a user with an empty home folder.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/runtime.ts';

/** The registry's address in the guides. */
export const EXAMPLE = 'https://registry.example.org';
const run = promisify(execFile);

/** Reads the shell blocks of a guide, in order. */
export async function blocksOf(guide: string): Promise<string[]> {
  return [
    ...(await readFile(join(repositoryRoot, 'docs/guides', `${guide}.md`), 'utf8')).matchAll(/```sh\n([^]*?)```/g),
  ].map(([, block = '']) => block);
}

export interface TypeOptions {
  /** Replacements for the examples of a guide, such as its registry's address. */
  substitutions: Record<string, string>;
  cwd?: string;
  env?: Record<string, string>;
}

export interface Home {
  home: string;
  /** Runs commands in bash and returns their standard output. @throws if one fails */
  type(commands: string, options: TypeOptions): Promise<string>;
  /** Installs the command from a registry with the command of the publishing guide. */
  installCommand(registryUrl: string): Promise<void>;
}

/** Creates a user's home folder, in which nothing is installed yet. */
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
  const type: Home['type'] = async (commands, { substitutions, cwd = home, env = {} }) => {
    const typed = Object.entries(substitutions).reduce(
      (text, [example, real]) => text.replaceAll(example, real),
      commands,
    );
    return (await run('bash', ['-euo', 'pipefail', '-c', typed], { cwd, env: { ...environment, ...env } })).stdout;
  };
  return {
    home,
    type,
    async installCommand(registryUrl) {
      const install = (await blocksOf('publishing')).filter((block) => block.startsWith('npm install --global'));
      assert.equal(install.length, 1);
      await type(install[0]!, { substitutions: { [EXAMPLE]: registryUrl } });
      assert.equal(await type('command -v berth', { substitutions: {} }), `${home}/.local/bin/berth\n`);
    },
  };
}
