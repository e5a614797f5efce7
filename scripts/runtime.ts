// Which Node the repository's own work is done with. That Berth runs at all is checked earlier, by check-runtime.js.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repositoryRoot = resolve(import.meta.dirname, '..');

/**
 * Refuses to measure or test with another Node than the pinned one, which `npm ci` puts first on the PATH of npm
 * scripts where it is built for the platform; without it they would go on with the system's.
 * @throws Error that says how to get it
 */
export function assertPinnedRuntime(version = process.versions.node): void {
  const pinned = pinnedVersion();
  if (pinned === undefined || pinned === version) return;
  throw new Error(
    `This runs with Node ${pinned} and was started with ${version}: run \`npm ci\`, and start it through npm ` +
      `(\`npm test\`).`,
  );
}

function pinnedVersion(): string | undefined {
  const { optionalDependencies } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return optionalDependencies[`node-${process.platform}-${process.arch}`];
}
