// Stores tarball scans by digest: equal bytes share one scan.

import type { Executor, Tx } from '../db/index.ts';
import type { TarballScan, TarballWarning } from '../tarballs/index.ts';
import { putFileIndex } from './file-index-repository.ts';

export function scanRepository(executor: Executor | Tx) {
  const column = async (digest: string, name: 'readme' | 'packages' | 'warnings') =>
    (
      await executor
        .selectFrom('tarball_scans')
        .select(`${name} as value`)
        .where('digest', '=', digest)
        .executeTakeFirst()
    )?.value;

  return {
    /** Inserts or replaces a scan. @param fileIndex the formatted `files` of the scan (file-index.ts) */
    async put(digest: string, scan: Omit<TarballScan, 'files'>, fileIndex: readonly string[]): Promise<void> {
      const row = {
        digest,
        scan_version: scan.scanVersion,
        readme: scan.readme ?? null,
        packages: JSON.stringify(scan.packages),
        unpacked_size: scan.unpackedSizeBytes,
        warnings: JSON.stringify(scan.warnings),
      };
      await executor
        .insertInto('tarball_scans')
        .values(row)
        .onConflict((conflict) => conflict.column('digest').doUpdateSet(row))
        .execute();
      await putFileIndex(executor, digest, fileIndex);
    },

    findReadme: async (digest: string): Promise<string | undefined> => (await column(digest, 'readme')) ?? undefined,
    /** Returns the bundled packages as a JSON array. */
    findPackages: async (digest: string): Promise<string> => (await column(digest, 'packages')) ?? '[]',
    findWarnings: async (digest: string): Promise<TarballWarning[]> => parseWarnings(await column(digest, 'warnings')),
  };
}

/** Parses the column of a scan; absent and null, as of scans from before warnings, give none. */
export function parseWarnings(warnings: string | null | undefined): TarballWarning[] {
  return JSON.parse(warnings ?? '[]') as TarballWarning[];
}
