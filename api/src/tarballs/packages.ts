// The packages that a tarball bundles: which they are, whether they hold native code, what npm would run to install
// them.

import { isJsonObject, readLicence, readName, readTerm, type JsonObject } from './manifest.ts';
import type { BundledPackage, EntryType } from './types.ts';

/** Where a package lies below `package/`, and the name that its folder gives it. */
export interface PackageFolder {
  path: string;
  name: string;
}

/** The scripts of a package that npm runs when it is installed as a dependency, or rebuilt. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'] as const;
const NATIVE_BUILDERS = /\b(?:node-gyp|node-gyp-build|prebuild-install|node-pre-gyp)\b/;
const PACKAGE_MANIFEST = /^(node_modules\/(?:.+\/node_modules\/)?((?:@[^/]+\/)?[^/@.][^/]*))\/package\.json$/;

/**
 * Names the package whose own package.json lies at `path` (below `package/`); undefined for any other file,
 * `lib/package.json` too.
 */
export function bundledPackageAt(path: string): PackageFolder | undefined {
  const [, root, name] = (path.endsWith('/package.json') && PACKAGE_MANIFEST.exec(path)) || [];
  return root !== undefined && name !== undefined ? { path: root, name } : undefined;
}

/** Describes a bundled package by its package.json, as far as that can be read: it is for display. */
export function describePackage(folder: PackageFolder, json: JsonObject = {}): BundledPackage {
  const licence = readLicence(json);
  return {
    name: readName(json.name) ?? folder.name,
    version: readTerm(json.version) ?? '',
    ...(licence !== undefined && { licence }),
    path: folder.path,
  };
}

/** Tells by its path whether an entry shows that a bundled dependency holds native code, built or to be built. */
export function isNativeCode(path: string, type: EntryType): boolean {
  if (!path.startsWith('node_modules/')) return false;
  if (path.includes('/prebuilds/')) return true;
  return type === 'directory' ? path.endsWith('/prebuilds') : path.endsWith('.node') || path.endsWith('/binding.gyp');
}

/** Lists the commands of a package.json that npm runs when it installs the package. */
export function listInstallScripts({ scripts }: JsonObject): string[] {
  if (!isJsonObject(scripts)) return [];
  return INSTALL_SCRIPTS.map((name) => scripts[name]).filter(
    (script): script is string => typeof script === 'string' && script.trim() !== '',
  );
}

/** Tells whether a command calls one of the programs that compile or fetch native code. */
export function callsNativeBuilder(script: string): boolean {
  return NATIVE_BUILDERS.test(script);
}
