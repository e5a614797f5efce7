import { defineError } from '../errors.ts';

export const TarballNotGzipError = defineError('tarball_not_gzip', 400, 'Invalid gzip file');
export const TarballNotTarError = defineError('tarball_not_tar', 400, 'Invalid tar archive');
export const TarballTruncatedError = defineError('tarball_truncated', 400, 'Truncated tarball');
export const TarballUnsafeEntryError = defineError('tarball_unsafe_entry', 400, 'Unsafe entry in the tarball');
export const TarballTooManyEntriesError = defineError(
  'tarball_too_many_entries',
  413,
  'Too many entries in the tarball',
);
export const TarballTooLargeUnpackedError = defineError(
  'tarball_too_large_unpacked',
  413,
  'Tarball too large when unpacked',
);
export const ManifestMissingError = defineError('manifest_missing', 400, 'Manifest missing');
export const ManifestInvalidError = defineError('manifest_invalid', 400, 'Manifest invalid');
export const ManifestDuplicateError = defineError('manifest_duplicate', 400, 'Duplicate manifest');
export const ManifestTooLargeError = defineError('manifest_too_large', 413, 'Manifest too large');
