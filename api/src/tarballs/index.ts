export { readTarballBytes } from './entry-reader.ts';
export { createTarballScanner, type TarballLimits } from './scanner.ts';
export type { Dependencies } from './dependencies.ts';
export { createTarballScanners, type TarballScanners, type IngestScanner } from './scanners.ts';
export { createScanApi, type ScanApi } from './scan-worker.ts';
export { SCAN_VERSION, type TarballScan } from './scan.ts';
export type { TarballWarning } from './portability.ts';
export type { BundledPackage, FileEntry } from './types.ts';
export { INVISIBLE, readTerm, readUrl } from './json-fields.ts';
export { MAX_SCHEMA_DEPTH, readName, readSchema, readVersion, type Manifest } from './manifest.ts';
export { pickLinks, readDescription, readKeywords, type PackageLinks } from './package-info.ts';
export {
  ManifestDuplicateError,
  ManifestInvalidError,
  ManifestMissingError,
  ManifestTooLargeError,
  TarballNotGzipError,
  TarballNotTarError,
  TarballTooLargeUnpackedError,
  TarballTooManyEntriesError,
  TarballTruncatedError,
  TarballUnsafeEntryError,
} from './errors.ts';
