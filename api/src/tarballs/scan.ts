// The result of scanning a tarball. contents.ts collects it.

import type { Dependencies } from './dependencies.ts';
import type { Manifest } from './manifest.ts';
import type { TarballWarning } from './portability.ts';
import type { BundledPackage, FileEntry } from './types.ts';

/** Increase it when scans of the same bytes change, so that stale scans can be recognised and repeated. */
export const SCAN_VERSION = 3;

export interface TarballScan {
  scanVersion: number;
  manifest: Manifest;
  /** The README at the root of the package, Markdown preferred, truncated at 512 KiB. */
  readme?: string;
  /** All entries below `package/`, in archive order. */
  files: FileEntry[];
  /** The packages below `node_modules/` at any depth, sorted by path. */
  packages: BundledPackage[];
  dependencies: Dependencies;
  /**
   * Whether a bundled dependency has a `.node` file, a `binding.gyp` or a `prebuilds/` folder, or builds native code
   * when it is installed.
   */
  hasNativeModules: boolean;
  /** The same for the package itself, without its bundled dependencies. */
  hasNativeCode: boolean;
  /** Whether any package, the tarball's own included, has a `preinstall`, `install` or `postinstall` script. */
  hasInstallScripts: boolean;
  /** The sum of the sizes of the files. */
  unpackedSizeBytes: number;
  /** Names that not all systems can unpack; empty for most tarballs. */
  warnings: TarballWarning[];
  /** Of the tarball as npm notes them: `sha512-<base64>`, and hexadecimal SHA-1. */
  integrity: string;
  shasum: string;
}
