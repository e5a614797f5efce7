// Finds the C headers of the running Node. An add-on built with those of another version compiles, but may not load.

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Lists the directories that may contain `include/node`: npm's setting `npm_config_nodedir`, the installation of the
 * running Node, the usual prefixes of distributions, and node-gyp's cache.
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

/** Finds the first root with the headers of exactly this version. */
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
