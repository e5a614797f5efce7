// Folders of packages for tests of `berth publish`.

import { execFile } from 'node:child_process';
import { createReadStream, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { extractTarball } from '@berth-registry/lib-node';
import { pack, type PackOptions } from '../src/pack.ts';

const run = promisify(execFile);

/** Writes files by their paths; objects become JSON. */
export function writeFiles(folder: string, files: Record<string, string | object>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

export async function npmInstall(folder: string): Promise<void> {
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'], { cwd: folder });
}

/** Packs as `berth publish` does, and unpacks the result into `target`. */
export async function packInto(target: string, options: Partial<PackOptions> & { source: string }) {
  await using packed = await pack({ bundle: false, scripts: false, ...options });
  await extractTarball(createReadStream(packed.path), target);
  return {
    manifest: JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')) as Record<string, unknown>,
    /** Versions of bundled packages by their paths below `node_modules`. */
    versions: Object.fromEntries(
      globSync('**/node_modules/{*,@*/*}/package.json', { cwd: target })
        .sort()
        .map((path) => [
          dirname(path).replace(/^node_modules\//, ''),
          (JSON.parse(readFileSync(join(target, path), 'utf8')) as { version: string }).version,
        ]),
    ),
    has: (path: string) => existsSync(join(target, path)),
  };
}

/** The message of the error that a promise rejects with. */
export async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}
