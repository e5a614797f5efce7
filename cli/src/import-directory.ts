// Finds the plug-ins and files of a directory to import, with the metadata in the files next to them.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { AccountRef, PluginToMigrate } from '@berth-registry/lib-node';

const METADATA_SUFFIX = '.berth.json';
const GRANTS_FILE = 'grants.json';

/** Finds the plug-ins and files to import, sorted by name. @throws Error if a metadata file is not valid JSON */
export function findPlugins(directory: string): PluginToMigrate[] {
  return listNames(directory).map((name) => describePlugin(directory, name));
}

/** Reads the accounts of `grants.json`; none without it. @throws Error if it is not a JSON array */
export function readGrants(directory: string): AccountRef[] {
  const path = join(directory, GRANTS_FILE);
  if (!existsSync(path)) return [];
  const accounts = readJson(path);
  if (!Array.isArray(accounts)) throw new Error(`${path} must be a JSON array of accounts`);
  return accounts as AccountRef[];
}

/** Lists entries by name. A folder named after a scope is searched too, as in node_modules. */
function listNames(directory: string): string[] {
  const names = readdirSync(directory)
    .filter((name) => !name.startsWith('.') && !name.endsWith(METADATA_SUFFIX) && name !== GRANTS_FILE)
    .sort();
  return names.flatMap((name) =>
    name.startsWith('@') && statSync(join(directory, name)).isDirectory()
      ? listNames(join(directory, name)).map((inner) => join(name, inner))
      : [name],
  );
}

function describePlugin(directory: string, name: string): PluginToMigrate {
  const path = join(directory, name);
  const metadata = readMetadata(directory, name);
  const isTarball = /\.(tgz|tar\.gz)$/.test(name);
  const isFolder = statSync(path).isDirectory();
  const format = metadata.format ?? (isFolder || isTarball ? 'npm' : 'file');
  const { thumbnail, ...fields } = metadata;
  return {
    artefactId: metadata.artefactId ?? (isFolder ? defaultId(path) : basename(name).replace(/\.(tgz|tar\.gz)$/, '')),
    ...fields,
    path,
    format,
    ...(thumbnail !== undefined && { thumbnail: resolve(dirname(path), thumbnail) }),
  };
}

function readMetadata(directory: string, name: string): Partial<PluginToMigrate> {
  const path = [name, name.replace(/\.(tgz|tar\.gz)$/, '')]
    .map((stem) => join(directory, `${stem}${METADATA_SUFFIX}`))
    .find((candidate) => existsSync(candidate));
  return path === undefined ? {} : (readJson(path) as Partial<PluginToMigrate>);
}

/** Derives `<name>@<major>`; falls back to the folder's name, so that a broken package appears in the report. */
function defaultId(folder: string): string {
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
