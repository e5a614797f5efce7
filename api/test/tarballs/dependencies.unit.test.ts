import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { buildTarball, type TarballEntry } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes } from './scan-bytes.ts';

/** Packages of a tree, by folder, with the names that they depend on; and its symbolic links. */
interface Tree {
  packages: Map<string, string[]>;
  links: Map<string, string>;
}

const NAMES = ['a', 'b', 'c', '@s/a', '@s/d'].map((name) => name.replace(/\w+$/, 'berth-test-$&'));
const FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'];

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomTree(seed: number): Tree {
  const random = randomOf(seed);
  const some = () => NAMES.filter(() => random(2) === 0);
  const packages = new Map([['', some()]]);
  let level = [''];
  for (let depth = 0; depth < 4; depth++) {
    level = level.flatMap((folder) =>
      NAMES.filter(() => random(depth + 2) === 0).map((name) => join(folder, 'node_modules', name)),
    );
    for (const folder of level) packages.set(folder, some());
  }
  return { packages, links: new Map() };
}

/** As pnpm lays out packages: each beside links to its dependencies. */
function linkedTree(): Tree {
  const store = (name: string) => `node_modules/.pnpm/${name}@1.0.0/node_modules`;
  return {
    packages: new Map([
      ['', ['x-berth']],
      [`${store('x-berth')}/x-berth`, ['y-berth', 'z-berth']],
      [`${store('y-berth')}/y-berth`, []],
    ]),
    links: new Map([
      ['node_modules/x-berth', '.pnpm/x-berth@1.0.0/node_modules/x-berth'],
      [`${store('x-berth')}/y-berth`, '../../y-berth@1.0.0/node_modules/y-berth'],
    ]),
  };
}

const manifestOf = (path: string, wanted: readonly string[]) =>
  JSON.stringify({
    name: path === '' ? 'root' : path.split('node_modules/').at(-1),
    version: '1.0.0',
    ...Object.fromEntries(
      FIELDS.map((field, index) => [
        field,
        Object.fromEntries(wanted.filter((_, at) => at % FIELDS.length === index).map((name) => [name, '*'])),
      ]),
    ),
  });

async function scanned({ packages, links }: Tree): Promise<Record<string, string[]>> {
  const entries: TarballEntry[] = [
    ...[...packages].map(([path, wanted]) => ({
      path: join('package', path, 'package.json'),
      content: manifestOf(path, wanted),
    })),
    ...[...links].map(([path, linkpath]) => ({
      path: `package/${path}`,
      type: 'SymbolicLink' as const,
      linkpath,
    })),
  ];
  return (await scanBytes(await buildTarball(entries))).dependencies;
}

/** What Node finds in the unpacked tree. */
function resolved({ packages, links }: Tree): Record<string, string[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'berth-dependencies-')));
  try {
    for (const [path, wanted] of packages) {
      mkdirSync(join(root, path), { recursive: true });
      writeFileSync(join(root, path, 'package.json'), manifestOf(path, wanted));
    }
    for (const [path, target] of links) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      symlinkSync(target, join(root, path));
    }
    const found: [string, string[]][] = [];
    for (const [path, wanted] of [...packages].sort(([one], [other]) => (one < other ? -1 : 1))) {
      const { resolve } = createRequire(join(root, path, 'index.js'));
      const paths = wanted.flatMap((name) => {
        try {
          return relative(root, dirname(resolve(`${name}/package.json`)));
        } catch {
          return [];
        }
      });
      if (paths.length > 0) found.push([path, paths.sort()]);
    }
    return Object.fromEntries(found);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('dependencies between bundled packages are those that Node finds, in random trees', async () => {
  let edges = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const tree = randomTree(seed);
    const dependencies = await scanned(tree);
    assert.deepEqual(dependencies, resolved(tree), `seed ${seed}`);
    edges += Object.values(dependencies).flat().length;
  }
  assert.ok(edges > 500, `${edges}`);
});

test('dependencies are found through the links that pnpm makes', async () => {
  const tree = linkedTree();
  const dependencies = await scanned(tree);
  assert.deepEqual(dependencies, resolved(tree));
  assert.equal(Object.values(dependencies).flat().length, 2);
});

test('names that are no dependencies, and trees that are too deep, are left out', async () => {
  const deep = 'node_modules/a/'.repeat(60);
  const { dependencies } = await scanBytes(
    await buildTarball([
      {
        path: 'package/package.json',
        content: JSON.stringify({
          name: 'root',
          version: '1.0.0',
          dependencies: { '': '*', '../x': '*', 'constructor': '*', 'a': '*', 'absent': '*' },
          peerDependencies: ['a'],
          optionalDependencies: 'a',
        }),
      },
      { path: 'package/node_modules/a/package.json', content: '{"name":"a","version":"1.0.0"}' },
      { path: `package/${deep}package.json`, content: '{"name":"a","dependencies":{"a":"*"}}' },
    ]),
    { maxTarEntries: 10 },
  );
  assert.deepEqual(dependencies, { '': ['node_modules/a'] });
});

test('names beyond 100,000 are ignored', async () => {
  const names = Object.fromEntries(Array.from({ length: 8000 }, (_, index) => [`p${index}`, '']));
  const bundled = Array.from({ length: 200 }, (_, index) => ({
    path: `package/node_modules/p${index}/package.json`,
    content: JSON.stringify({ name: `p${index}`, version: '1.0.0', dependencies: names }),
  }));
  const { dependencies } = await scanBytes(await buildTarball([MANIFEST, ...bundled]));
  // 12 of these packages and half of the next one; 200 of their names are bundled.
  assert.equal(Object.values(dependencies).flat().length, 13 * 200);
});
