// Builds the web interface into ui/dist, for `npm run build` and `npm start`. With --if-changed, only if its sources
// differ from those of the existing build.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { repositoryRoot } from './runtime.ts';

const UI = join(repositoryRoot, 'ui');
/** Digest of the sources of the existing build. */
const STAMP = join(UI, 'dist/sources.sha256');

if (import.meta.main) await buildUi({ ifChanged: process.argv.includes('--if-changed') });

/** Builds the web interface, with compressed copies of each asset, so that requests need not compress. */
export async function buildUi({ ifChanged }: { ifChanged: boolean }): Promise<void> {
  const sources = digestOfSources();
  if (ifChanged && (await readFile(STAMP, 'utf8').catch(() => undefined)) === sources) return;
  const { build } = await import('vite');
  await build({ configFile: join(UI, 'vite.config.ts'), logLevel: 'warn' });
  for (const path of globSync('dist/assets/*.{js,css,svg}', { cwd: UI })) await compress(join(UI, path));
  await writeFile(STAMP, sources);
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const path of globSync(['src/**/*.{ts,vue,css}', 'index.html', 'vite.config.ts', 'package.json'], {
    cwd: UI,
  }).sort())
    hash.update(path).update(readFileSync(join(UI, path)));
  return hash.digest('hex');
}

async function compress(path: string): Promise<void> {
  const bytes = await readFile(path);
  await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }));
  await writeFile(
    `${path}.br`,
    await promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  );
}
