// What is told of a tarball: its entries, and the packages in it.

export type EntryType = 'file' | 'directory' | 'link' | 'symlink';

export interface FileEntry {
  /** Below `package/`, without a slash at the end. */
  path: string;
  sizeBytes: number;
  /** Permission bits: 0o644. */
  mode: number;
  type: EntryType;
  /** Where the content begins in the inflated archive, in bytes. */
  offset: number;
  /** Of a hard link, the path of its file, below `package/`; of a symbolic link, the text of the link. */
  target?: string;
}

export interface BundledPackage {
  /** From its package.json, else from its folder: `@scope/name`. */
  name: string;
  /** Empty when its package.json has none or cannot be read. */
  version: string;
  licence?: string;
  /** Its folder below `package/`: `node_modules/a/node_modules/@scope/b`. */
  path: string;
}
