// Fixture: a file system store in a temporary folder.

import { readdir, readlink, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createFsStore } from '../../src/blobs/drivers/fs.ts';
import type { BlobStoreFixture } from './contract/fixture.ts';

export interface FsStoreFixture extends BlobStoreFixture {
  root: string;
  open(): BlobStore;
}

export async function makeFsStore(): Promise<FsStoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-blobs-'));
  const root = join(folder, 'root');
  return {
    root,
    open: () => createFsStore({ root }),
    leftovers: async () => await readdir(root, { recursive: true }),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Lists the files below the root that this process has open (Linux). */
export async function openFiles(root: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  );
  return paths.filter((path) => path.startsWith(root));
}
