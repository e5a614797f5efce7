// Packages bundled in a tarball: their names and licences, native code, and the scripts that npm runs at installation.

import { isJsonObject, readTerm, type JsonObject } from './json-fields.ts';
import { readLicence, readName } from './manifest.ts';
import type { BundledPackage, EntryType } from './types.ts';

/** Path of a package below `package/`, and the name that its folder gives it. */
export interface PackageFolder {
  path: string;
  name: string;
}

/** Scripts that npm runs when a package is installed as a dependency, or rebuilt. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'] as const;
const NATIVE_BUILDERS = /\b(?:node-gyp|node-gyp-build|prebuild-install|node-pre-gyp)\b/;
const PACKAGE_MANIFEST = /^(node_modules\/(?:.+\/node_modules\/)?((?:@[^/]+\/)?[^/@.][^/]*))\/package\.json$/;

/**
 * Returns the bundled package whose package.json is at `path` (below `package/`); undefined for any other file, such
 * as `lib/package.json`.
 */
export function bundledPackageAt(path: string): PackageFolder | undefined {
  const [, root, name] = (path.endsWith('/package.json') && PACKAGE_MANIFEST.exec(path)) || [];
  return root !== undefined && name !== undefined ? { path: root, name } : undefined;
}

/** Describes a bundled package, for display. Fields of its package.json that are missing or invalid get defaults. */
export function describePackage(folder: PackageFolder, json: JsonObject = {}): BundledPackage {
  const licence = readLicence(json);
  return {
    name: readName(json.name) ?? folder.name,
    version: readTerm(json.version) ?? '',
    ...(licence !== undefined && { licence }),
    path: folder.path,
  };
}

/** Checks by its path whether an entry is native code, built or to be built. */
export function isNativeCode(path: string, type: EntryType): boolean {
  const rooted = `/${path}`;
  if (rooted.includes('/prebuilds/')) return true;
  return type === 'directory'
    ? rooted.endsWith('/prebuilds')
    : rooted.endsWith('.node') || rooted.endsWith('/binding.gyp');
}

/** Checks whether an entry belongs to a bundled dependency, and not to the package itself. */
export function isBundled(path: string): boolean {
  return path.startsWith('node_modules/');
}

/** Lists the commands of a package.json that npm runs when it installs the package. */
export function listInstallScripts({ scripts }: JsonObject): string[] {
  if (!isJsonObject(scripts)) return [];
  return INSTALL_SCRIPTS.map((name) => scripts[name]).filter(
    (script): script is string => typeof script === 'string' && script.trim() !== '',
  );
}

/** Checks whether a command calls a program that compiles or downloads native code. */
export function callsNativeBuilder(script: string): boolean {
  return NATIVE_BUILDERS.test(script);
}
