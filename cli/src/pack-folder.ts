// What all ways of packing share: one folder with npm, and its manifest.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { npm } from './npm.ts';
import type { PackageManifest } from './pack-root.ts';

export type { PackageManifest } from './pack-root.ts';

/** A package whose dependencies are to be bundled. */
export interface BundleOptions {
  /** Folder of the package, with the lock file or inside the workspace that has it. */
  source: string;
  /** Folder of the unpacked tarball. */
  tree: string;
  /** Folder for temporary files. */
  folder: string;
  /** Run install scripts. */
  scripts: boolean;
}

/** @returns the path of the tarball, in `destination` */
export async function packFolder(directory: string, destination: string, words: string[] = []): Promise<string> {
  const [packed] = parseResult(
    await npm(['pack', '--json', '--pack-destination', destination, ...words], directory),
  ) as { filename: string }[];
  if (!packed) throw new Error(`npm pack made no tarball of ${directory}`);
  return join(destination, packed.filename);
}

/** @param where the folder, or what it is the content of, for the error */
export async function readManifest(directory: string, where = 'the tarball'): Promise<PackageManifest> {
  try {
    return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as PackageManifest;
  } catch (error) {
    const path = where === directory ? 'package.json' : 'package/package.json';
    throw new Error(`${where} contains no readable ${path}`, { cause: error });
  }
}

/** Parses the JSON at the end of npm's output. Output of the package's scripts comes before it. */
function parseResult(stdout: string): unknown[] {
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n[') + 1)) as unknown[];
}
