// A sample package with nearly every kind of entry.

import { buildTarball } from '../support/tarball-builder.ts';

export const MANIFEST = JSON.stringify({ name: '@acme/plugin', version: '1.0.0' });
export const ODD_NAMES = [
  'données/été ☃ 日本.txt',
  '100%.txt',
  'a%2Fb.txt',
  'what?#&.txt',
  ' space ',
  '__proto__',
  '...',
  `${'日'.repeat(84)}/`.repeat(11) + 'f'.repeat(81),
];

export function buildSamplePlugin(): Promise<Buffer> {
  return buildTarball([
    { path: 'package/', mode: 0o755 },
    { path: 'package/package.json', content: MANIFEST },
    { path: 'package/README.md', content: '# Été\n\n<script>alert(1)</script>\n' },
    { path: 'package/bin/', mode: 0o755 },
    { path: 'package/bin/run', content: '#!/bin/sh\n', mode: 0o755 },
    { path: 'package/bin/hard', type: 'Link', linkpath: 'package/bin/run' },
    { path: 'package/bin/soft', type: 'SymbolicLink', linkpath: 'run' },
    { path: 'package/empty', content: '' },
    { path: 'package/twice.txt', content: 'first' },
    { path: 'package/twice.txt', content: 'the second' },
    {
      path: 'package/node_modules/a/package.json',
      content: JSON.stringify({ name: 'a', version: '1.2.3', license: 'ISC' }),
    },
    {
      path: 'package/node_modules/a/node_modules/@s/b/package.json',
      content: JSON.stringify({ name: '@s/b', version: '0.1.0', licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }] }),
    },
    { path: 'package/node_modules/c/package.json', content: '{}' },
    ...ODD_NAMES.map((name) => ({ path: `package/${name}`, content: `content of ${name}` })),
  ]);
}
