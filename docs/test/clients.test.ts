// Documents and recipes install the clients from a registry address with the current version, never by package name.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';

const NOT_OURS = new Set(['node_modules', 'dist', 'data', '.cache', '.test-build']);
/** What people read and copy: documents, recipes, pages, and the output of programs. */
const TEXTS = [
  '**/*.{md,vue,yml,yaml,sh}',
  '.github/**/*.{md,yml,sh}',
  '{api,cli,lib-node,ui}/{bin,src}/**/*.{js,ts}',
  'scripts/**/*.ts',
];
const INSTALLING = [
  /\b(?:npx|pnpx|bunx)\b/,
  /\bnpm (?:i|install|add|exec)\b/,
  /\bpnpm (?:i|install|add|dlx)\b/,
  /\byarn (?:add|dlx)\b/,
];
/** A package by its name alone; Yarn expects the name before the address. */
const BY_NAME = /@berth(?:-registry)?\/[a-z-]+(?![a-z-]|@https?:)/;
const ADDRESS = /\/clients\/(\d[^/\s]*)\/(cli|lib-node)\.tgz/g;

interface Line {
  text: string;
  place: string;
}

const files = globSync(TEXTS, { cwd: repositoryRoot, exclude: (path) => NOT_OURS.has(basename(path)) });
const lines = files.flatMap((path): Line[] => {
  const texts = readFileSync(join(repositoryRoot, path), 'utf8').split('\n');
  return texts.map((text, index) => ({ text, place: `${path}:${index + 1}` }));
});

const installsByName = ({ text }: Line) => BY_NAME.test(text) && INSTALLING.some((pattern) => pattern.test(text));

test("no text says to install a client by name, which on the public registry is somebody else's", () => {
  const action = '.github/actions/publish-plugin/action.yml';
  for (const path of ['README.md', 'deploy/ci/gitlab.yml', action, 'ui/src/features/artefacts/snippets.ts']) {
    assert.ok(files.includes(path), path);
  }
  assert.deepEqual(lines.filter(installsByName), []);
});

test('an installation by name is detected for every package manager', () => {
  const scope = '@berth-registry';
  const byName = [
    `npx ${scope}/cli publish`,
    `    - npx --yes ${scope}/cli@0 ls`,
    `npm install ${scope}/lib-node`,
    `npm i -g ${scope}/cli@0.4.0`,
    `Error('not here: npm install ${scope}/api')`,
    `pnpm add ${scope}/lib-node`,
    `yarn add ${scope}/lib-node@0.4.0`,
    `npm install ${scope.replace('-registry', '')}/cli`,
  ];
  const address = 'https://registry.example.org/clients/0.4.0/lib-node.tgz';
  const others = [`import '${scope}/lib-node'`, `yarn add ${scope}/lib-node@${address}`, `npm install ${address}`];
  const detected = [...byName, ...others].map((text) => ({ text, place: '' })).filter(installsByName);
  assert.deepEqual(
    detected.map(({ text }) => text),
    byName,
  );
});

test('CI recipes contain no package name of ours', () => {
  const recipes = lines.filter(({ place }) => /^(?:\.github|deploy)\/.*\.(?:ya?ml|sh):/.test(place));
  assert.ok(recipes.length > 100);
  assert.deepEqual(
    recipes.filter(({ text }) => text.includes('@berth')),
    [],
  );
});

test('every address of a client has the current version', () => {
  const current = Object.fromEntries(
    ['cli', 'lib-node'].map((name) => {
      const manifest = readFileSync(join(repositoryRoot, name, 'package.json'), 'utf8');
      return [name, (JSON.parse(manifest) as { version: string }).version];
    }),
  );
  const addresses = lines
    .filter(({ place }) => !place.includes('/test/'))
    .flatMap(({ text, place }) => {
      return [...text.matchAll(ADDRESS)].map(([, version, name = '']) => ({
        place,
        version,
        expected: current[name],
      }));
    });
  assert.ok(addresses.length > 5);
  assert.deepEqual(
    addresses.filter(({ version, expected }) => version !== expected),
    [],
  );
});
