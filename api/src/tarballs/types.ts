// Entries of a tarball, and the packages that it bundles.

export type EntryType = 'file' | 'directory' | 'link' | 'symlink';

export interface FileEntry {
  /** Below `package/`, without a trailing slash. */
  path: string;
  sizeBytes: number;
  /** Permission bits: 0o644. */
  mode: number;
  type: EntryType;
  /** Offset of the content in the inflated archive, in bytes. */
  offset: number;
  /** Regular files: SHA-256 of the content in base64url. Missing if the scan is from before version 3. */
  sha256?: string;
  /** Hard links: path of the file, below `package/`. Symbolic links: the text of the link. */
  target?: string;
}

export interface BundledPackage {
  /** From its package.json, else from its folder; such as `@scope/name`. */
  name: string;
  /** Empty if its package.json has none or cannot be read. */
  version: string;
  licence?: string;
  /** Its folder below `package/`: `node_modules/a/node_modules/@scope/b`. */
  path: string;
}
