import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findBrokenReferences } from './references.ts';

const root = mkdtempSync(join(tmpdir(), 'berth-docs-'));
after(() => {
  rmSync(root, { recursive: true });
});
mkdirSync(join(root, 'api/src'), { recursive: true });
writeFileSync(join(root, 'api/src/app.ts'), '');
writeFileSync(join(root, 'package.json'), JSON.stringify({ scripts: { test: '', demo: '' } }));
writeFileSync(join(root, 'api/package.json'), JSON.stringify({ scripts: { build: '' } }));
writeFileSync(join(root, 'GUIDE.md'), '# How it starts\n');

const brokenIn = (text: string, path = 'README.md') => {
  writeFileSync(join(root, path), text);
  return findBrokenReferences(root, path, new Set(['serve'])).map(({ line, names }) => `${line} ${names}`);
};

test('accepts existing and generated files, examples, and what is outside this repository', () => {
  assert.deepEqual(
    brokenIn(`# Berth
See [the guide](GUIDE.md#how-it-starts), [above](#berth), [a page](https://example.org/api/none) and
\`./api/src/app.ts:12\`. Run \`npm ci && npm test\` or \`npm run demo\`; \`api/src/*.ts\`, \`api/dist/index.js\`,
\`api/<slice>/index.ts\`, \`GET /api/none\`, \`npm/none\`.
`),
    [],
  );
  assert.deepEqual(brokenIn('`npm run build`, `npm test` and `src/app.ts`', 'api/README.md'), []);
});

test('accepts a file that the page tells its reader to create', () => {
  const page = 'New file `api/src/none.ts`:\n```ts\n```\n```sh\nnode api/src/none.ts api/src/nowhere.ts\n```';
  assert.deepEqual(brokenIn(page), ['5 api/src/nowhere.ts']);
});

test('finds links to missing files and headings', () => {
  assert.deepEqual(brokenIn('[one](NONE.md)\n[two](GUIDE.md#the-end) [three](#nowhere)'), [
    '1 NONE.md',
    '2 GUIDE.md#the-end',
    '2 #nowhere',
  ]);
});

test('finds missing npm scripts, also in code blocks', () => {
  assert.deepEqual(brokenIn('`npm run launch`\n```sh\nnpm ci && npm start\n```\n`npm run ci`'), [
    '1 npm run launch',
    '3 npm start',
    '5 npm run ci',
  ]);
});

test('finds unknown berth commands, also in code blocks', () => {
  assert.deepEqual(
    brokenIn(
      '`berth serve`, `berth --help`, `berth <command>`, berth words, `berth sink`\n```sh\nnpx berth float && ' +
        'berth serve\n```',
    ),
    ['1 berth sink', '3 berth float'],
  );
});

test('finds missing paths, also in code blocks', () => {
  assert.deepEqual(brokenIn('`api/src/none.ts`, `api/none/*.ts`\n```sh\nnode ./api/server.ts --port 1\n```'), [
    '1 api/src/none.ts',
    '1 api/none/*.ts',
    '3 api/server.ts',
  ]);
});
