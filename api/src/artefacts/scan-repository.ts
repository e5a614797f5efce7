// What publishing captured of tarballs, by digest: equal bytes share one scan.

import type { Executor, Tx } from '../db/index.ts';
import type { BundledPackage, TarballScan } from '../tarballs/index.ts';

export function scanRepository(executor: Executor | Tx) {
  const column = async (digest: string, name: 'readme' | 'files' | 'packages') =>
    (await executor.selectFrom('tarball_scans').select(`${name} as value`).where('digest', '=', digest).executeTakeFirst())?.value;

  return {
    /** @param fileIndex the files of the scan, see file-index.ts */
    async put(digest: string, scan: Omit<TarballScan, 'files'>, fileIndex: string): Promise<void> {
      const row = {
        digest,
        scan_version: scan.scanVersion,
        readme: scan.readme ?? null,
        files: fileIndex,
        packages: JSON.stringify(scan.packages),
        unpacked_size: scan.unpackedSizeBytes,
      };
      await executor.insertInto('tarball_scans').values(row).onConflict((conflict) => conflict.column('digest').doUpdateSet(row)).execute();
    },

    findReadme: async (digest: string): Promise<string | undefined> => await column(digest, 'readme') ?? undefined,
    findFileIndex: async (digest: string): Promise<string> => await column(digest, 'files') ?? '[]',
    findPackages: async (digest: string): Promise<BundledPackage[]> => JSON.parse(await column(digest, 'packages') ?? '[]') as BundledPackage[],
  };
}
