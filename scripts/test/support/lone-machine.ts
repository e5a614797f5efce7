// A machine that reaches no package registry: what is installed there has to come from the address that is named. Home
// and caches are empty, npm, pnpm and Yarn are told of a registry at a port where nobody listens.

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

export interface LoneMachine {
  /** Makes an empty folder, as a user does for a project of their own. */
  makeFolder(): Promise<string>;
  /** Runs a program with nothing of this process's environment but what `env` names. */
  run(words: readonly string[], options: RunOptions): Promise<Outcome>;
  /** Runs a line of a shell. */
  type(line: string, options: RunOptions): Promise<Outcome>;
  remove(): Promise<void>;
}

/** @param node program that is `node` there */
export async function createLoneMachine(node = process.execPath): Promise<LoneMachine> {
  const home = await mkdtemp(join(tmpdir(), 'berth-alone-'));
  const nowhere = `http://127.0.0.1:${await freePort()}/`;
  await mkdir(join(home, 'bin'));
  await symlink(node, join(home, 'bin/node'));
  await writeFile(join(home, '.yarnrc.yml'), `npmRegistryServer: '${nowhere}'\nunsafeHttpWhitelist: ['127.0.0.1']\n`);
  // The programs of this repository's own packages are not installed there.
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const environment = {
    PATH: [join(home, 'bin'), ...path].join(':'),
    HOME: home,
    npm_config_registry: nowhere,
    npm_config_fetch_retries: '0',
    pnpm_config_registry: nowhere,
    pnpm_config_fetch_retries: '0',
    YARN_ENABLE_TELEMETRY: 'false',
    YARN_HTTP_RETRY: '0',
  };
  const run: LoneMachine['run'] = ([program = '', ...words], { cwd, env = {} }) =>
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
