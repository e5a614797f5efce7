// Blobs as files below one folder. fs-writer.ts writes them, fs-reader.ts streams them, fs-folders.ts makes and
// removes the folders between, fs-errors.ts turns the file system's failures into the store's.

import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, stat, statfs, unlink, writeFile, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import {
  assertStorageKey,
  isStorageKey,
  READ_CHUNK_BYTES,
  resolveRange,
  type BlobStore,
  type BlobWriter,
  type ByteRange,
  type StoredBlob,
} from '../blob-store.ts';
import { blobMissing, keyTaken, StorageFullError } from '../errors.ts';
import { BufferPool } from './fs-buffer-pool.ts';
import { asStorage, failedWith, ignore, toStorageError, unlessGone } from './fs-errors.ts';
import { FolderSync, makeFolders, makeRoot, removeEmptyFolders, requireFolder } from './fs-folders.ts';
import { readFileRange, sendFileRange } from './fs-reader.ts';
import { makeDirectBuffer } from './fs-output.ts';
import { FsBlobWriter } from './fs-writer.ts';

/** Marks an unfinished file; `~` is in no key. */
const UNFINISHED_SUFFIX = '~part';

/**
 * A folder that was made can be removed by the end of its last blob before a file is in it: rare once, never ten times
 * in a row.
 */
const CREATE_ATTEMPTS = 10;

export interface FsStoreOptions {
  /**
   * Folder of the blobs and of nothing else, on one file system; made with mode 0700 when it is missing, but never
   * later on.
   */
  root: string;
}

/**
 * Makes a store of files, mode 0600, in folders of mode 0700: a blob of the key `'3f/3fa9…'` is `<root>/3f/3fa9…`, and
 * `<root>/3f/3fa9…~part` until it is finished.
 *
 * The unfinished file is the lock on its key: it is made with O_EXCL, only while no finished file is there, and goes
 * away by the rename that finishes it, so that a rename never meets a finished file and a kill at any moment leaves
 * one of the two names, never both. `link()` would refuse even files that no store wrote, but leaves both names when
 * killed between its two steps, and exFAT, SMB and some FUSE mounts have no hard links. Side by side in one folder,
 * both names are durable with the same fsync.
 *
 * An upload that is resumed after a power cut relies on a file system that does not show the size before the data
 * (ext4 in its default mode, XFS, btrfs, ZFS) unless it was suspended. A deletion is not synced: what comes back after
 * a power cut is swept again.
 *
 * @throws the file system's error when the root cannot be made /
 */
export function createFsStore(options: FsStoreOptions): BlobStore {
  const root = resolve(options.root);
  makeRoot(root);
  return new FsBlobStore(root);
}

class FsBlobStore implements BlobStore {
  readonly kind = 'fs';
  readonly #root: string;
  readonly #readBuffers = new BufferPool(() => Buffer.allocUnsafeSlow(READ_CHUNK_BYTES));
  readonly #shared: { folders: FolderSync; spares: BufferPool };

  constructor(root: string) {
    this.#root = root;
    this.#shared = { folders: new FolderSync(root), spares: new BufferPool(makeDirectBuffer) };
  }

  readonly freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(this.#root);
    return bavail * bsize;
  };

  create(key: string): Promise<BlobWriter> {
    return asStorage(async () => {
      const paths = this.#paths(key);
      const handle = await this.#openNew(paths.unfinishedPath);
      const writer = new FsBlobWriter({ key, root: this.#root, handle, ...paths, offset: 0, ...this.#shared });
      try {
        if (await unlessGone(stat(paths.finishedPath))) throw keyTaken();
        return writer;
      } catch (error) {
        await writer.abort();
        throw error;
      }
    });
  }

  resume(key: string): Promise<BlobWriter> {
    return asStorage(async () => {
      const paths = this.#paths(key);
      try {
        const { size } = await stat(paths.unfinishedPath);
        const handle = await open(paths.unfinishedPath, 'r+');
        return new FsBlobWriter({ key, root: this.#root, handle, ...paths, offset: size, ...this.#shared });
      } catch (error) {
        if (await unlessGone(stat(paths.finishedPath))) throw keyTaken(error);
        return this.#missing(error);
      }
    });
  }

  stat(key: string): Promise<{ sizeBytes: number }> {
    return asStorage(async () => {
      const stats = await stat(this.#paths(key).finishedPath).catch((error: unknown) => this.#missing(error));
      if (!stats.isFile()) throw blobMissing();
      return { sizeBytes: stats.size };
    });
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return asStorage(async () => {
      const opened = await this.#open(key, range);
      return readFileRange(opened.handle, opened.range);
    });
  }

  async send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const opened = await asStorage(() => this.#open(key, range));
    try {
      await sendFileRange(opened.handle, opened.range, write, this.#readBuffers);
    } finally {
      await asStorage(() => opened.handle.close());
    }
  }

  delete(key: string): Promise<void> {
    return asStorage(async () => {
      const { finishedPath, unfinishedPath } = this.#paths(key);
      await requireFolder(this.#root);
      for (const path of [unfinishedPath, finishedPath])
        await unlink(path).catch(ignore('ENOENT', 'ENOTDIR', 'EISDIR'));
      await removeEmptyFolders(this.#root, finishedPath);
    });
  }

  async *list(): AsyncIterable<StoredBlob> {
    try {
      await requireFolder(this.#root);
      yield* listFolder(this.#root, '');
    } catch (error) {
      throw toStorageError(error);
    }
  }

  check(): Promise<void> {
    return asStorage(async () => {
      const probe = join(this.#root, `check-${randomUUID()}${UNFINISHED_SUFFIX}`);
      try {
        await writeFile(probe, 'x', { flag: 'wx', mode: 0o600 });
        await readFile(probe);
      } finally {
        await unlink(probe).catch(ignore('ENOENT', 'ENOTDIR'));
      }
    }).catch((error: unknown) => {
      if (!(error instanceof StorageFullError)) throw error;
    });
  }

  async #open(key: string, range?: ByteRange): Promise<{ handle: FileHandle; range: ByteRange }> {
    const handle = await open(this.#paths(key).finishedPath, 'r').catch((error: unknown) => this.#missing(error));
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw blobMissing();
      return { handle, range: resolveRange(stats.size, range) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  #paths(key: string): { finishedPath: string; unfinishedPath: string } {
    assertStorageKey(key);
    const finishedPath = join(this.#root, key);
    return { finishedPath, unfinishedPath: finishedPath + UNFINISHED_SUFFIX };
  }

  async #openNew(path: string): Promise<FileHandle> {
    for (let attempt = 1; ; attempt++) {
      try {
        // The folder is mostly there.
        if (attempt > 1) await makeFolders(this.#root, path);
        return await open(path, 'wx', 0o600);
      } catch (error) {
        if (failedWith(error, 'EEXIST')) throw keyTaken(error);
        if (failedWith(error, 'ENOTDIR')) {
          await requireFolder(this.#root);
          throw keyTaken(error);
        }
        if (!failedWith(error, 'ENOENT') || attempt === CREATE_ATTEMPTS) throw error;
      }
    }
  }

  /** Throws `blob_missing` for a file that is not there, in a root that is. */
  async #missing(error: unknown): Promise<never> {
    if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error;
    await requireFolder(this.#root);
    throw blobMissing(error);
  }
}

/** Passes over what no store wrote (`lost+found`, `.DS_Store`): its name is not one of a key, nor of a part of it. */
async function* listFolder(folder: string, prefix: string): AsyncGenerator<StoredBlob> {
  for (const entry of (await unlessGone(readdir(folder, { withFileTypes: true }))) ?? []) {
    const path = join(folder, entry.name);
    const finished = entry.isDirectory() || !entry.name.endsWith(UNFINISHED_SUFFIX);
    const key = prefix + (finished ? entry.name : entry.name.slice(0, -UNFINISHED_SUFFIX.length));
    if (!isStorageKey(key)) continue;
    if (entry.isDirectory()) yield* listFolder(path, `${key}/`);
    const stats = entry.isFile() ? await unlessGone(stat(path)) : undefined;
    if (stats) yield { key, sizeBytes: stats.size, modifiedAt: stats.mtime, finished };
  }
}
