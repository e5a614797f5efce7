// Maps file system errors to the store's errors.

import { mapErrors, NO_SPACE, NO_STORAGE, StorageFullError, StorageUnavailableError } from '../errors.ts';

/** No free block, quota exceeded, or beyond the file size limit of the process or the file system. */
const FULL_CODES = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Checks for a file system error with one of these codes, such as `'ENOENT'`. */
export function failedWith(error: unknown, ...codes: string[]): boolean {
  return isSystemError(error) && codes.includes(error.code);
}

/** Ignores an error with one of these codes and rethrows any other: `await unlink(path).catch(ignore('ENOENT'))`. */
export function ignore(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!failedWith(error, ...codes)) throw error;
  };
}

/** Resolves to undefined when the path does not exist: `await ifExists(stat(path))`. */
export async function ifExists<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Turns a file system error into `storage_full` or `storage_unavailable`; returns any other error unchanged.
 */
export function toStorageError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (FULL_CODES.includes(error.code)) return new StorageFullError(NO_SPACE, { cause: error });
  return new StorageUnavailableError(NO_STORAGE, { cause: error });
}

/** Runs work on the file system and maps its errors to the store's. */
export const withStorageErrors = mapErrors(toStorageError);

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}
