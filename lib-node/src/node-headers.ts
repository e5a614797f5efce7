// Finds the C headers of the running Node. Those of another version compile, and fail when the add-on is loaded.

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Lists where the headers may be, each as a directory that holds `include/node`: what npm is told by
 * `npm_config_nodedir`, beside the running Node, where distributions put them, and where node-gyp keeps those that it
 * has downloaded. /
 */
export function listHeaderRoots(): string[] {
  const { npm_config_nodedir: configured, XDG_CACHE_HOME: cache = join(homedir(), '.cache') } = process.env;
  return [
    ...(configured === undefined ? [] : [configured]),
    dirname(dirname(process.execPath)),
    '/usr/local',
    '/usr',
    join(cache, 'node-gyp', process.versions.node),
    join(homedir(), 'Library/Caches/node-gyp', process.versions.node),
  ];
}

/** Finds the first root whose headers are exactly of this version. */
export async function findHeaderRoot(
  roots: readonly string[],
  version: string = process.versions.node,
): Promise<string | undefined> {
  for (const root of roots) {
    const text = await readFile(join(root, 'include/node/node_version.h'), 'utf8').catch(() => '');
    const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
      (name) => new RegExp(`^#define NODE_${name}_VERSION (\\d+)$`, 'm').exec(text)?.[1],
    );
    if (numbers.join('.') === version.replace(/-.*/, '')) return root;
  }
  return undefined;
}
