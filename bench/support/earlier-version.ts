// An earlier version of the server, from the history of this repository, to compare with.

import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/runtime.ts';

const run = promisify(execFile);

/**
 * Extracts the server as of a commit. It runs with the dependencies of this checkout.
 * @param directory created
 * @returns path of its program
 */
export async function extractServer(commit: string, directory: string): Promise<string> {
  await mkdir(directory);
  const archive = join(directory, 'version.tar');
  await run('git', ['archive', '--output', archive, commit, 'api', 'lib-node', 'package.json'], {
    cwd: repositoryRoot,
  }).catch((cause: unknown) => {
    throw new Error(`The commit ${commit} is missing: fetch the whole history (git fetch --unshallow).`, { cause });
  });
  await run('tar', ['xf', archive], { cwd: directory });
  await symlink(join(repositoryRoot, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, 'api/server.ts');
}
