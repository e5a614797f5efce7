// Simulates a machine without access to a package registry: home and caches are empty, and npm, pnpm and Yarn are
// configured with a registry at a closed port. Packages can only come from an explicit URL.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../api/test/support/free-port.ts';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}
export interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
}

export interface IsolatedMachine {
  /** Creates an empty folder for a project. */
  makeFolder(): Promise<string>;
  /** Runs a program with only the environment of the machine and `env`. */
  run(words: readonly string[], options: RunOptions): Promise<Outcome>;
  /** Runs a shell command line. */
  type(line: string, options: RunOptions): Promise<Outcome>;
  remove(): Promise<void>;
}

/** @param node path of the program that is `node` on the machine */
export async function createIsolatedMachine(node = process.execPath): Promise<IsolatedMachine> {
  const home = await mkdtemp(join(tmpdir(), 'berth-isolated-'));
  const closedRegistry = `http://127.0.0.1:${await freePort()}/`;
  await mkdir(join(home, 'bin'));
  await symlink(node, join(home, 'bin/node'));
  const yarnSettings = `npmRegistryServer: '${closedRegistry}'\nunsafeHttpWhitelist: ['127.0.0.1']\n`;
  await writeFile(join(home, '.yarnrc.yml'), yarnSettings);
  // Without the programs of this repository's packages.
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const environment = {
    PATH: [join(home, 'bin'), ...path].join(':'),
    HOME: home,
    npm_config_registry: closedRegistry,
    npm_config_fetch_retries: '0',
    pnpm_config_registry: closedRegistry,
    pnpm_config_fetch_retries: '0',
    YARN_ENABLE_TELEMETRY: 'false',
    YARN_HTTP_RETRY: '0',
  };
  const run: IsolatedMachine['run'] = ([program = '', ...words], { cwd, env = {} }) =>
    new Promise((done) => {
      const options = { cwd, env: { ...environment, ...env }, maxBuffer: MAX_OUTPUT_BYTES };
      execFile(program, words, options, (error, stdout, stderr) => {
        done({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
    });
  return {
    makeFolder: () => mkdtemp(join(home, 'folder-')),
    run,
    type: (line, options) => run(['bash', '-euo', 'pipefail', '-c', line], options),
    remove: () => rm(home, { recursive: true, force: true }),
  };
}
