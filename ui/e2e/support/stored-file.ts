// Finds files in the local storage of a registry.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from './registry.ts';

/** Returns the path of the file with this content. @throws Error if there is none */
export async function storedFile(registry: Registry, content: string): Promise<string> {
  const folder = join(registry.dataDir, 'blobs');
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path, 'utf8')) === content) return path;
  }
  throw new Error(`No file contains ${content}.`);
}
