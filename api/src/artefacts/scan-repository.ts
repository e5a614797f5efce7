// What publishing captured of tarballs, by digest: equal bytes share one scan.

import type { Executor, Tx } from '../db/index.ts';
import type { TarballScan } from '../tarballs/index.ts';

export function scanRepository(executor: Executor | Tx) {
  return {
    async put(digest: string, scan: TarballScan): Promise<void> {
      const row = {
        digest,
        scan_version: scan.scanVersion,
        readme: scan.readme ?? null,
        files: JSON.stringify(scan.files),
        packages: JSON.stringify(scan.packages),
        unpacked_size: scan.unpackedSizeBytes,
      };
      await executor.insertInto('tarball_scans').values(row).onConflict((conflict) => conflict.column('digest').doUpdateSet(row)).execute();
    },
  };
}
