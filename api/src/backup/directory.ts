// The folder of a backup on the disk: made, recognised, tidied, and its failures said in words.

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  BackupDirectoryFullError,
  BackupDirectoryUnusableError,
  BackupInvalidError,
  BackupTooNewError,
} from './errors.ts';
import {
  BLOB_FILE_NAME,
  blobsFolder,
  MANIFEST_FILE,
  parseManifest,
  PARTIAL_SUFFIX,
  SNAPSHOT_NAME,
  type Manifest,
} from './layout.ts';

const FULL_CODES = ['ENOSPC', 'EDQUOT', 'EFBIG'];
const REASONS: Record<string, string> = {
  EACCES: 'is not to be read and written by this user',
  EPERM: 'is not to be read and written by this user',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'is no folder',
  EEXIST: 'is no folder',
  ENOENT: 'has lost a part of itself',
  EIO: 'is on a disk that fails',
};
/** What a file system puts into its topmost folder. */
const FOREIGN_BUT_HARMLESS = new Set(['lost+found', '.snapshot']);

/**
 * Makes the folder, or takes one that has a backup, finished or not; nothing that is kept is touched.
 * @throws backup_invalid when it holds anything else
 */
export async function openForWriting(directory: string): Promise<Manifest | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = await readdir(directory);
  const stranger = names.find(
    (name) =>
      ![MANIFEST_FILE, 'blobs'].includes(name) &&
      !isLeftover(name) &&
      !SNAPSHOT_NAME.test(name) &&
      !FOREIGN_BUT_HARMLESS.has(name),
  );
  if (stranger !== undefined)
    throw new BackupInvalidError(
      `${directory} holds ${stranger}, which is no part of a backup: name a folder that is empty, missing ` +
        'or a backup.',
    );
  return names.includes(MANIFEST_FILE) ? readManifest(directory) : undefined;
}

/** Reads which backup a folder holds. @throws backup_invalid, backup_too_new */
export async function readManifest(directory: string): Promise<Manifest> {
  const text = await readFile(join(directory, MANIFEST_FILE), 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
    throw new BackupInvalidError(
      `${directory} holds no ${MANIFEST_FILE}: it is no backup, or one that was interrupted before its end.`,
      { cause: error },
    );
  });
  const parsed = parseManifest(text);
  if ('manifest' in parsed) return parsed.manifest;
  if (parsed.wrong === 'newer')
    throw new BackupTooNewError(
      `${directory} holds a backup in the format of a newer Berth: restore it with that one or a later one.`,
    );
  throw new BackupInvalidError(`${join(directory, MANIFEST_FILE)} is not the manifest of a backup, or was changed.`);
}

/** Puts the manifest in place of the one before: from this moment on its snapshot counts. */
export async function putManifest(directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, MANIFEST_FILE);
  await writeDurably(path + PARTIAL_SUFFIX, `${JSON.stringify(manifest, null, 2)}\n`);
  await rename(path + PARTIAL_SUFFIX, path);
  await syncFolder(directory);
}

/** Removes the snapshots but one, and whatever an interrupted backup was writing. */
export async function removeOtherSnapshots(directory: string, kept: string | undefined): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name !== kept && (SNAPSHOT_NAME.test(name) || isLeftover(name)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Removes the bytes of digests that are not wanted, and returns how many. @param wanted hexadecimal */
export async function removeOtherBlobs(directory: string, wanted: ReadonlySet<string>): Promise<number> {
  let count = 0;
  for (const folder of await listBlobFolders(directory)) {
    for (const name of await readdir(folder)) {
      const isBlob = BLOB_FILE_NAME.test(name);
      if (isBlob ? wanted.has(name) : !isLeftover(name)) continue;
      await rm(join(folder, name), { force: true });
      if (isBlob) count++;
    }
  }
  return count;
}

/** Lists the folders that files of blobs are in. */
export async function listBlobFolders(directory: string): Promise<string[]> {
  const root = blobsFolder(directory);
  return (await readdir(root)).filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => join(root, name));
}

/** Writes a file, mode 0600, that is on the disk when this resolves; its name is once its folder was synced. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Says failures of the file system in words about the folder; the storage and the database say theirs themselves. */
export async function aboutDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    const { errcode } = error as { errcode?: number };
    // SQLITE_FULL: only its copy is written to.
    if (FULL_CODES.includes(code) || errcode === 13)
      throw new BackupDirectoryFullError(
        `No room is left in ${directory}: make room there and run it again, it goes on where it stopped.`,
        { cause: error },
      );
    const isOfFiles = error instanceof Error && 'path' in error;
    if (isOfFiles || code === 'EIO')
      throw new BackupDirectoryUnusableError(`${directory} ${REASONS[code] ?? `cannot be used (${code})`}.`, {
        cause: error,
      });
    throw error;
  }
}

export function absolute(directory: string): string {
  return resolve(directory);
}

function isLeftover(name: string): boolean {
  return name.endsWith(PARTIAL_SUFFIX);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
