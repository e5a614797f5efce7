// The directory of a backup: creates, recognises and cleans it, and explains its file system errors.

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
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
  EACCES: 'cannot be read and written by this user',
  EPERM: 'cannot be read and written by this user',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'is not a directory',
  EEXIST: 'is not a directory',
  ENOENT: 'lacks some of its files',
  EIO: 'is on a failing disk',
};
/** Directories that file systems create in their root. */
const IGNORED_NAMES = new Set(['lost+found', '.snapshot']);

/**
 * Creates the directory, or opens one with a backup, finished or not. Returns the manifest of a finished backup.
 * Changes no existing file.
 * @throws backup_invalid when the directory contains anything else
 */
export async function openDirectory(directory: string): Promise<Manifest | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = await readdir(directory);
  const foreignName = names.find(
    (name) =>
      ![MANIFEST_FILE, 'blobs'].includes(name) &&
      !isLeftover(name) &&
      !SNAPSHOT_NAME.test(name) &&
      !IGNORED_NAMES.has(name),
  );
  if (foreignName !== undefined)
    throw new BackupInvalidError(
      `${directory} contains ${foreignName}, which is not part of a backup. Choose a directory that is empty, ` +
        'does not exist yet, or contains a backup.',
    );
  return names.includes(MANIFEST_FILE) ? readManifest(directory) : undefined;
}

/** Reads the manifest of a backup. @throws backup_invalid, backup_too_new */
export async function readManifest(directory: string): Promise<Manifest> {
  const text = await readFile(join(directory, MANIFEST_FILE), 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
    throw new BackupInvalidError(
      `${directory} contains no ${MANIFEST_FILE}: it is not a backup, or the backup did not finish.`,
      { cause: error },
    );
  });
  const parsed = parseManifest(text);
  if ('manifest' in parsed) return parsed.manifest;
  if (parsed.problem === 'newer')
    throw new BackupTooNewError(
      `${directory} contains a backup in the format of a newer version of Berth. Restore it with that version or a ` +
        'later one.',
    );
  throw new BackupInvalidError(`${join(directory, MANIFEST_FILE)} is not the manifest of a backup, or was changed.`);
}

/** Atomically replaces the manifest. From then on its snapshot is the current one. */
export async function putManifest(directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, MANIFEST_FILE);
  await writeDurably(path + PARTIAL_SUFFIX, `${JSON.stringify(manifest, null, 2)}\n`);
  await rename(path + PARTIAL_SUFFIX, path);
  await syncFolder(directory);
}

/** Removes all snapshots but one, and leftovers of an interrupted backup. */
export async function removeOtherSnapshots(directory: string, kept: string | undefined): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name !== kept && (SNAPSHOT_NAME.test(name) || isLeftover(name)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Removes all blobs but these and returns how many. @param kept digests in hexadecimal */
export async function removeOtherBlobs(directory: string, kept: ReadonlySet<string>): Promise<number> {
  let count = 0;
  for (const folder of await listBlobFolders(directory)) {
    for (const name of await readdir(folder)) {
      const isBlob = BLOB_FILE_NAME.test(name);
      if (isBlob ? kept.has(name) : !isLeftover(name)) continue;
      await rm(join(folder, name), { force: true });
      if (isBlob) count++;
    }
  }
  return count;
}

/** Lists the folders that contain blob files. */
export async function listBlobFolders(directory: string): Promise<string[]> {
  const root = blobsFolder(directory);
  return (await readdir(root)).filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => join(root, name));
}

/** Writes a file, mode 0600, durably. Its name is durable once its folder has been synced. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close().catch(() => undefined);
  }
}

/** Makes the directory entries of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/** Turns file system errors into errors about the backup directory. Storage and database errors pass unchanged. */
export async function withDirectoryErrors<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    const { errcode } = error as { errcode?: number };
    // 13 is SQLITE_FULL: of all databases, only the snapshot is written to.
    if (FULL_CODES.includes(code) || errcode === 13)
      throw new BackupDirectoryFullError(
        `No space left in ${directory}. Free some space and run the command again; it resumes where it stopped.`,
        { cause: error },
      );
    const isFileError = error instanceof Error && 'path' in error;
    if (isFileError || code === 'EIO')
      throw new BackupDirectoryUnusableError(`${directory} ${REASONS[code] ?? `cannot be used (${code})`}.`, {
        cause: error,
      });
    throw error;
  }
}

function isLeftover(name: string): boolean {
  return name.endsWith(PARTIAL_SUFFIX);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
