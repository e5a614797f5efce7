import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';

type Manifest = Partial<
  Record<'dependencies' | 'devDependencies' | 'optionalDependencies' | 'peerDependencies', Record<string, string>>
>;

const page = readFileSync(join(repositoryRoot, 'docs/reference/dependencies.md'), 'utf8');
/** The sections of the page; the heading of each names its package.json. */
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ heading: text.split('\n', 1)[0] ?? '', text }));

/** The packages in a section's tables that have a reason. */
function listPackages(text: string): string[] {
  return [...text.matchAll(/^\| (`.+`) \| (\S.*) \|$/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
  );
}

for (const path of globSync('{package.json,*/package.json}', {
  cwd: repositoryRoot,
  exclude: (name) => name === 'node_modules',
}).sort()) {
  test(`docs/reference/dependencies.md explains each dependency of ${path}, and no other package`, () => {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8')) as Manifest;
    const dependencies = Object.keys({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    const external = dependencies.filter((name) => !name.startsWith('@berth-registry/'));
    const explained = sections
      .filter(({ heading }) => heading.includes(`\`${path}\``))
      .flatMap(({ text }) => listPackages(text));
    assert.deepEqual(explained.toSorted(), external.toSorted());
  });
}
