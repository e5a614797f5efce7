// What publishing captured of tarballs; see schema.ts.

export interface TarballSchema {
  file_index_parts: FileIndexPartsTable;
  tarball_scans: TarballScansTable;
}

/** What publishing captured of a tarball, by content: equal bytes, equal scan. */
export interface TarballScansTable {
  digest: string;
  scan_version: number;
  readme: string | null;
  packages: string;
  unpacked_size: number;
}

/** The list of files of a tarball in the order of the archive, in parts from 0 on. */
export interface FileIndexPartsTable {
  digest: string;
  part: number;
  /** JSON, an array. */
  entries: string;
}
