// A large package to download, and what tests of interrupted and damaged downloads check.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureArtefact } from '../../dist/index.js';
import { ID } from './setting.ts';
import type { Setting } from './setting.ts';
import { incompressible, packPackage } from './tarballs.ts';

const CONTENT = incompressible(1_000_000);
export const LARGE = packPackage('1.0.0', { 'data.bin': CONTENT });
/** Another version of about the same size. */
export const OTHER = packPackage('2.0.0', { 'data.bin': incompressible(1_000_000, 'other') });

/** Lists the Range header of each request for the tarball. */
export const requestedRanges = ({ registry }: Setting): (string | undefined)[] =>
  registry.requests.filter(({ url }) => url.includes('/tarball')).map(({ headers }) => headers.range);

/**
 * Lists the first byte of each request for the tarball. A cut connection may lose bytes that were sent shortly before,
 * so tests can only check bounds.
 */
export const requestedStarts = (setting: Setting): number[] =>
  requestedRanges(setting).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0));

/** Downloads the package, and checks its content and that nothing else is left in the cache. */
export async function assertComplete(setting: Setting, tarball = LARGE): Promise<void> {
  const result = await ensureArtefact(setting.options);
  assert.equal(result.digest, tarball.digest);
  if (tarball === LARGE) assert.deepEqual(await readFile(join(result.path, 'data.bin')), CONTENT);
  assert.deepEqual((await readdir(join(result.path, '..'))).filter((name) => !/^[0-9a-f]{16}$/.test(name)).sort(), [
    '.lock',
    '.state.json',
  ]);
}

/** Checks that the cache has neither an unpacked directory nor one that is being unpacked. */
export async function assertEmpty({ cacheDir }: Setting): Promise<void> {
  const names = await readdir(join(cacheDir, encodeURIComponent(ID), 'x64'));
  assert.deepEqual(
    names.filter((name) => !name.startsWith('.') || name.startsWith('.staging')),
    [],
  );
}
