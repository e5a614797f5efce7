// Where failures of the file system become failures of the store.

import { mapErrors, StorageFullError, StorageUnavailableError } from '../errors.ts';

/** No block, no quota, or beyond the longest file that the process or the file system allows. */
const FULL_CODES = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Tells whether the file system failed with one of these codes, `'ENOENT'` for example. */
export function failedWith(error: unknown, ...codes: string[]): boolean {
  return isSystemError(error) && codes.includes(error.code);
}

/** Lets a failure with one of these codes pass and throws any other: `await unlink(path).catch(ignore('ENOENT'))`. */
export function ignore(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!failedWith(error, ...codes)) throw error;
  };
}

/** Waits for what is asked about a path, and gives undefined when nothing is there: `await unlessGone(stat(path))`. */
export async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Turns a failure of the file system into `storage_full` or `storage_unavailable`, and gives back any other error as
 * it is.
 */
export function toStorageError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (FULL_CODES.includes(error.code))
    return new StorageFullError('Nothing was stored. Try again when the operator has made room.', { cause: error });
  return new StorageUnavailableError('Try again later; the operator finds the reason in the log.', { cause: error });
}

/** Runs work on the file system, which fails as a store does. */
export const asStorage = mapErrors(toStorageError);

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}
