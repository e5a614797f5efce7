// Finds what a registry has stored on a disk here.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from './registry.ts';

/** The path of the file with these bytes. @throws Error when there is none */
export async function storedFile(registry: Registry, bytes: string): Promise<string> {
  const folder = join(registry.dataDir, 'blobs');
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path, 'utf8')) === bytes) return path;
  }
  throw new Error(`No file holds ${bytes}.`);
}
