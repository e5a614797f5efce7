// Rejects a Node version that is too old: `node --import ./scripts/check-runtime.js …`. Plain JavaScript, since an
// older Node cannot parse TypeScript.

import { readFileSync } from 'node:fs';
import { URL } from 'node:url';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const minimum = engines.node.replace('>=', '');
const [major, minor] = process.versions.node.split('.').map(Number);
const [minimumMajor, minimumMinor] = minimum.split('.').map(Number);

if (major < minimumMajor || (major === minimumMajor && minor < minimumMinor)) {
  console.error(
    `Berth requires Node ${minimum} or later, but this is ${process.version}: run \`npm ci\`, which installs the ` +
      'right version, and then this command again.',
  );
  process.exit(1);
}
