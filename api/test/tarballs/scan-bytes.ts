// Scans tarballs in tests, in chunks of any size, as uploads do.

import { createTarballScanner, type TarballLimits, type TarballScan } from '../../src/tarballs/index.ts';
import { buildTarball, type TarballEntry } from '../support/tarball-builder.ts';

export const MANIFEST: TarballEntry = {
  path: 'package/package.json',
  content: '{"name":"@acme/plugin","version":"1.0.0"}',
};
export const LIMITS: TarballLimits = { maxUnpackedBytes: 64 * 1024 * 1024, maxTarEntries: 1000 };

export async function scanBytes(
  tarball: Uint8Array,
  { chunkBytes = 64 * 1024, ...limits }: Partial<TarballLimits> & { chunkBytes?: number } = {},
): Promise<TarballScan> {
  const scanner = createTarballScanner({ ...LIMITS, ...limits });
  for (let at = 0; at < tarball.length; at += chunkBytes) await scanner.write(tarball.subarray(at, at + chunkBytes));
  return scanner.finish();
}

/** Scans an archive of a minimal manifest followed by `entries`. */
export async function scanEntries(...entries: TarballEntry[]): Promise<TarballScan> {
  return scanBytes(await buildTarball([MANIFEST, ...entries]));
}
