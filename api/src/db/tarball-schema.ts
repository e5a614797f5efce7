// Results of scanning tarballs; see schema.ts.

export interface TarballSchema {
  file_index_parts: FileIndexPartsTable;
  tarball_scans: TarballScansTable;
}

/** The scan of a tarball, by digest: equal content has one scan. */
export interface TarballScansTable {
  digest: string;
  /** See SCAN_VERSION; the columns below `warnings` are null before version 3. */
  scan_version: number;
  readme: string | null;
  packages: string;
  unpacked_size: number;
  /** JSON, an array; null if the scan is from before warnings. */
  warnings: string | null;
  /** JSON of the Manifest. */
  manifest: string | null;
  /** JSON, see `Dependencies` in tarballs/. */
  dependencies: string | null;
  has_native_code: number | null;
  /** `sha512-<base64>` of the tarball. */
  integrity: string | null;
  /** SHA-1 of the tarball, hexadecimal. */
  shasum: string | null;
  /** Why a tarball that was stored earlier cannot be scanned any more: the code of the error. */
  scan_error: string | null;
}

/** The file index of a tarball in archive order, in parts numbered from 0. */
export interface FileIndexPartsTable {
  digest: string;
  part: number;
  /** JSON, an array. */
  entries: string;
}
