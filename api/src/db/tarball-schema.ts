// Results of scanning tarballs; see schema.ts.

export interface TarballSchema {
  file_index_parts: FileIndexPartsTable;
  tarball_scans: TarballScansTable;
}

/** The scan of a tarball, by digest: equal content has one scan. */
export interface TarballScansTable {
  digest: string;
  scan_version: number;
  readme: string | null;
  packages: string;
  unpacked_size: number;
  /** JSON, an array; null if the scan is from before warnings. */
  warnings: string | null;
}

/** The file index of a tarball in archive order, in parts numbered from 0. */
export interface FileIndexPartsTable {
  digest: string;
  part: number;
  /** JSON, an array. */
  entries: string;
}
