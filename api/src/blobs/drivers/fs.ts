// File system driver: blobs as files below one root. fs-writer.ts writes them, fs-reader.ts reads them, fs-folders.ts
// creates and removes the folders in between, fs-errors.ts maps errors.

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
import { blobMissing, blobExists, StorageFullError } from '../errors.ts';
import { BufferPool } from './fs-buffer-pool.ts';
import { withStorageErrors, failedWith, ignore, toStorageError, ifExists } from './fs-errors.ts';
import { FolderSync, makeFolders, makeRoot, removeEmptyFolders, assertRootExists } from './fs-folders.ts';
import { readFileRange, sendFileRange } from './fs-reader.ts';
import { makeDirectBuffer } from './fs-output.ts';
import { FsBlobWriter } from './fs-writer.ts';

/** Suffix of an unfinished file. No key contains `~`. */
const UNFINISHED_SUFFIX = '~part';

/**
 * A new folder may be removed with the last blob in it before a file is created there: rare once, never ten times in a
 * row.
 */
const CREATE_ATTEMPTS = 10;

export interface FsStoreOptions {
  /**
   * Folder for the blobs only, on a single file system. Created with mode 0700 when the store is opened, never later.
   */
  root: string;
}

/**
 * Creates a store of files, mode 0600, in folders of mode 0700: the blob with the key `'3f/3fa9…'` is
 * `<root>/3f/3fa9…`, and `<root>/3f/3fa9…~part` until it is finished.
 *
 * The unfinished file locks its key. It is created with O_EXCL, only while no finished file exists, and disappears
 * with the rename that finishes it. A rename therefore never replaces a finished file, and a kill at any moment leaves
 * one of the two names, never both. `link()` would also refuse files that no store wrote, but leaves both names when
 * killed between its two steps, and exFAT, SMB and some FUSE mounts have no hard links. Since both names are in the
 * same folder, one fsync makes both durable.
 *
 * Resuming an upload after a power failure relies on a file system that does not expose the size before the data (ext4
 * in its default mode, XFS, btrfs, ZFS), unless the upload was suspended. Deletions are not synced: a file that
 * reappears after a power failure is swept again.
 *
 * @throws the file system's error when the root cannot be created
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
  readonly #shared: { folders: FolderSync; pool: BufferPool };

  constructor(root: string) {
    this.#root = root;
    this.#shared = { folders: new FolderSync(root), pool: new BufferPool(makeDirectBuffer) };
  }

  readonly freeBytes = (): Promise<number> =>
    withStorageErrors(async () => {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    });

  create(key: string): Promise<BlobWriter> {
    return withStorageErrors(async () => {
      const paths = this.#paths(key);
      const handle = await this.#openNew(paths.unfinishedPath);
      const writer = new FsBlobWriter({ key, root: this.#root, handle, ...paths, offset: 0, ...this.#shared });
      try {
        if (await ifExists(stat(paths.finishedPath))) throw blobExists();
        return writer;
      } catch (error) {
        await writer.abort().catch(() => undefined);
        throw error;
      }
    });
  }

  resume(key: string): Promise<BlobWriter> {
    return withStorageErrors(async () => {
      const paths = this.#paths(key);
      try {
        const { size } = await stat(paths.unfinishedPath);
        const handle = await open(paths.unfinishedPath, 'r+');
        return new FsBlobWriter({ key, root: this.#root, handle, ...paths, offset: size, ...this.#shared });
      } catch (error) {
        if (await ifExists(stat(paths.finishedPath))) throw blobExists(error);
        return this.#missing(error);
      }
    });
  }

  stat(key: string): Promise<{ sizeBytes: number }> {
    return withStorageErrors(async () => {
      const stats = await stat(this.#paths(key).finishedPath).catch((error: unknown) => this.#missing(error));
      if (!stats.isFile()) throw blobMissing();
      return { sizeBytes: stats.size };
    });
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return withStorageErrors(async () => {
      const opened = await this.#open(key, range);
      return readFileRange(opened.handle, opened.range);
    });
  }

  async send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const opened = await withStorageErrors(() => this.#open(key, range));
    try {
      await sendFileRange(opened.handle, opened.range, write, this.#readBuffers);
    } finally {
      await opened.handle.close().catch(() => undefined);
    }
  }

  delete(key: string): Promise<void> {
    return withStorageErrors(async () => {
      const { finishedPath, unfinishedPath } = this.#paths(key);
      await assertRootExists(this.#root);
      for (const path of [unfinishedPath, finishedPath])
        await unlink(path).catch(ignore('ENOENT', 'ENOTDIR', 'EISDIR'));
      await removeEmptyFolders(this.#root, finishedPath);
    });
  }

  async *list(): AsyncIterable<StoredBlob> {
    try {
      await assertRootExists(this.#root);
      yield* listFolder(this.#root, '');
    } catch (error) {
      throw toStorageError(error);
    }
  }

  check(): Promise<void> {
    return withStorageErrors(async () => {
      const probe = join(this.#root, `check-${randomUUID()}${UNFINISHED_SUFFIX}`);
      try {
        await writeFile(probe, 'x', { flag: 'wx', mode: 0o600 });
        await readFile(probe);
      } finally {
        // A sweep removes it, like any unfinished blob.
        await unlink(probe).catch(() => undefined);
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
      await handle.close().catch(() => undefined);
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
        // The folder usually exists.
        if (attempt > 1) await makeFolders(this.#root, path);
        return await open(path, 'wx', 0o600);
      } catch (error) {
        if (failedWith(error, 'EEXIST')) throw blobExists(error);
        if (failedWith(error, 'ENOTDIR')) {
          await assertRootExists(this.#root);
          throw blobExists(error);
        }
        if (!failedWith(error, 'ENOENT') || attempt === CREATE_ATTEMPTS) throw error;
      }
    }
  }

  /** Throws `blob_missing` for a file that does not exist, provided that the root does. */
  async #missing(error: unknown): Promise<never> {
    if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error;
    await assertRootExists(this.#root);
    throw blobMissing(error);
  }
}

/** Skips files that no store wrote (`lost+found`, `.DS_Store`): their names are not keys, nor parts of keys. */
async function* listFolder(folder: string, prefix: string): AsyncGenerator<StoredBlob> {
  for (const entry of (await ifExists(readdir(folder, { withFileTypes: true }))) ?? []) {
    const path = join(folder, entry.name);
    const finished = entry.isDirectory() || !entry.name.endsWith(UNFINISHED_SUFFIX);
    const key = prefix + (finished ? entry.name : entry.name.slice(0, -UNFINISHED_SUFFIX.length));
    if (!isStorageKey(key)) continue;
    if (entry.isDirectory()) yield* listFolder(path, `${key}/`);
    const stats = entry.isFile() ? await ifExists(stat(path)) : undefined;
    if (stats) yield { key, sizeBytes: stats.size, modifiedAt: stats.mtime, finished };
  }
}
