// Stores tarball scans by digest: equal bytes share one scan.

import { sql } from 'kysely';
import type { Executor, TarballScansTable, Tx } from '../db/index.ts';
import { SCAN_VERSION, type TarballScan, type TarballWarning } from '../tarballs/index.ts';
import { putFileIndex } from './file-index-repository.ts';

/** Columns of the facts that are part of documents. */
export const SCAN_FACTS = ['warnings', 'has_native_code'] as const;
type ScanFactsRow = Pick<TarballScansTable, (typeof SCAN_FACTS)[number]>;

/** What documents tell about a slot from its scan. */
export interface ScanFacts {
  warnings: TarballWarning[];
  /** Undefined if it is not known yet. */
  hasNativeCode: boolean | undefined;
}

export interface OutdatedScan {
  scanVersion: number;
  digest: string;
  sizeBytes: number;
}

export function scanRepository(executor: Executor | Tx) {
  const column = async (digest: string, name: 'readme' | 'packages') =>
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
        manifest: JSON.stringify(scan.manifest),
        dependencies: JSON.stringify(scan.dependencies),
        has_native_code: Number(scan.hasNativeCode),
        integrity: scan.integrity,
        shasum: scan.shasum,
        scan_error: null,
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

    async findFacts(digest: string): Promise<ScanFacts> {
      return toScanFacts(
        await executor
          .selectFrom('tarball_scans')
          .select([...SCAN_FACTS])
          .where('digest', '=', digest)
          .executeTakeFirst(),
      );
    },

    /** Lists intact tarballs with a scan of an older version. @param after the last one that was listed before */
    async listOutdated(after: OutdatedScan | undefined, limit: number): Promise<OutdatedScan[]> {
      const { scanVersion, digest } = after ?? { scanVersion: -1, digest: '' };
      return executor
        .selectFrom('tarball_scans')
        .innerJoin('blobs', 'blobs.digest', 'tarball_scans.digest')
        .select(['scan_version as scanVersion', 'tarball_scans.digest', 'size as sizeBytes'])
        .where(sql<boolean>`(scan_version, tarball_scans.digest) > (${scanVersion}, ${digest})`)
        .where('scan_version', '<', SCAN_VERSION)
        .where('state', '=', 'sound')
        .orderBy('scan_version')
        .orderBy('tarball_scans.digest')
        .limit(limit)
        .execute();
    },

    /** Keeps the earlier scan of a tarball that cannot be scanned any more. @param error code of the error */
    async putError(digest: string, error: string): Promise<void> {
      await executor
        .updateTable('tarball_scans')
        .set({ scan_version: SCAN_VERSION, scan_error: error })
        .where('digest', '=', digest)
        .execute();
    },
  };
}

/** Converts the columns; they are absent or null if there is no scan, or one from before they were stored. */
export function toScanFacts(row: Partial<ScanFactsRow> | undefined): ScanFacts {
  return {
    warnings: JSON.parse(row?.warnings ?? '[]') as TarballWarning[],
    hasNativeCode: typeof row?.has_native_code === 'number' ? row.has_native_code === 1 : undefined,
  };
}
