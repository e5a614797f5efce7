// The Node version for tests and measurements. check-runtime.js checks the minimum version of Berth earlier.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repositoryRoot = resolve(import.meta.dirname, '..');

/**
 * Asserts that this is the pinned Node version, which `npm ci` puts first on the PATH of npm scripts if it is
 * available for the platform. Otherwise tests and measurements would silently use the system's Node.
 * @throws Error that says how to install it
 */
export function assertPinnedRuntime(version = process.versions.node): void {
  const pinned = pinnedVersion();
  if (pinned === undefined || pinned === version) return;
  throw new Error(
    `This requires Node ${pinned} but was started with ${version}: run \`npm ci\`, and start it through npm ` +
      `(\`npm test\`).`,
  );
}

function pinnedVersion(): string | undefined {
  const { optionalDependencies } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return optionalDependencies[`node-${process.platform}-${process.arch}`];
}
