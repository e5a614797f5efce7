// What a scan yields, for others to store. How it is found lives in contents.ts.

import type { Manifest } from './manifest.ts';
import type { BundledPackage, FileEntry } from './types.ts';

/** Counts up when scans of the same bytes would come out differently, so that older ones can be told and renewed. */
export const SCAN_VERSION = 1;

export interface TarballScan {
  scanVersion: number;
  manifest: Manifest;
  /** The README at the root of the package, Markdown preferred, cut at 512 KiB. */
  readme?: string;
  /** Every entry below `package/`, in the order of the archive. */
  files: FileEntry[];
  /** The packages below `node_modules/` at any depth, sorted by path. */
  packages: BundledPackage[];
  /**
   * Whether a bundled dependency holds a `.node` file, a `binding.gyp`, a `prebuilds/` folder, or builds native code
   * at its installation.
   */
  hasNativeModules: boolean;
  /** Whether any package, the tarball's own included, has a `preinstall`, `install` or `postinstall` script. */
  hasInstallScripts: boolean;
  /** The sum of the sizes of the files. */
  unpackedSizeBytes: number;
}
