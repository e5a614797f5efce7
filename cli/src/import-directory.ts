// What of a directory is a plug-in or a file to import, and what the files beside them say.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { AccountRef, PluginToMigrate } from '@berth-registry/lib-node';

const TOLD = '.berth.json';
const GRANTS = 'grants.json';

/** Finds what is to be imported, in the order of the names. @throws Error that names a file which cannot be read */
export function pluginsIn(directory: string): PluginToMigrate[] {
  return namesIn(directory).map((name) => pluginAt(directory, name));
}

/** The accounts of `grants.json`, none without it. */
export function grantsIn(directory: string): AccountRef[] {
  const path = join(directory, GRANTS);
  if (!existsSync(path)) return [];
  const accounts = readJson(path);
  if (!Array.isArray(accounts)) throw new Error(`${path} is no list of accounts`);
  return accounts as AccountRef[];
}

/** Packages may lie in a folder of their scope, as in node_modules. */
function namesIn(directory: string): string[] {
  const names = readdirSync(directory)
    .filter((name) => !name.startsWith('.') && !name.endsWith(TOLD) && name !== GRANTS)
    .sort();
  return names.flatMap((name) =>
    name.startsWith('@') && statSync(join(directory, name)).isDirectory()
      ? namesIn(join(directory, name)).map((inner) => join(name, inner))
      : [name],
  );
}

function pluginAt(directory: string, name: string): PluginToMigrate {
  const path = join(directory, name);
  const told = toldOf(directory, name);
  const isTarball = /\.(tgz|tar\.gz)$/.test(name);
  const isFolder = statSync(path).isDirectory();
  const format = told.format ?? (isFolder || isTarball ? 'npm' : 'file');
  const { thumbnail, ...fields } = told;
  return {
    artefactId: told.artefactId ?? (isFolder ? idOfPackage(path) : basename(name).replace(/\.(tgz|tar\.gz)$/, '')),
    ...fields,
    path,
    format,
    ...(thumbnail !== undefined && { thumbnail: resolve(dirname(path), thumbnail) }),
  };
}

function toldOf(directory: string, name: string): Partial<PluginToMigrate> {
  const path = [name, name.replace(/\.(tgz|tar\.gz)$/, '')]
    .map((stem) => join(directory, `${stem}${TOLD}`))
    .find((candidate) => existsSync(candidate));
  return path === undefined ? {} : (readJson(path) as Partial<PluginToMigrate>);
}

/** `<name>@<major>`; of one that is broken, the folder's name, under which the report speaks of it. */
function idOfPackage(folder: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name?: string;
      version?: string;
    };
    return name ? `${name}@${/^\d+/.exec(version ?? '')?.[0] ?? '0'}` : basename(folder);
  } catch {
    return basename(folder);
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
