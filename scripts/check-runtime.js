// Runs before anything in TypeScript, which an older Node cannot even read: `node --import ./scripts/check-runtime.js
// …`. Plain JavaScript for that reason.

import { readFileSync } from 'node:fs';
import { URL } from 'node:url';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const minimum = engines.node.replace('>=', '');
const [major, minor] = process.versions.node.split('.').map(Number);
const [minimumMajor, minimumMinor] = minimum.split('.').map(Number);

if (major < minimumMajor || (major === minimumMajor && minor < minimumMinor)) {
  console.error(
    `Berth needs Node ${minimum} or later and this is ${process.version}: run \`npm ci\`, which brings the right ` +
      'one, and then this command again.',
  );
  process.exit(1);
}
