import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';

type Manifest = Partial<
  Record<'dependencies' | 'devDependencies' | 'optionalDependencies' | 'peerDependencies', Record<string, string>>
>;

const page = readFileSync(join(repositoryRoot, 'docs/reference/dependencies.md'), 'utf8');
/** The part of the page about one package.json, which its heading names. */
const parts = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ heading: text.split('\n', 1)[0] ?? '', text }));

/** The packages of a part's tables, each with a reason. */
function listed(text: string): string[] {
  return [...text.matchAll(/^\| (`.+`) \| (\S.*) \|$/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
  );
}

for (const path of globSync('{package.json,*/package.json}', {
  cwd: repositoryRoot,
  exclude: (name) => name === 'node_modules',
}).sort()) {
  test(`docs/reference/dependencies.md gives a reason for what ${path} asks for, and for nothing else`, () => {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8')) as Manifest;
    const asked = Object.keys({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    const others = asked.filter((name) => !name.startsWith('@berth-registry/'));
    const reasoned = parts
      .filter(({ heading }) => heading.includes(`\`${path}\``))
      .flatMap(({ text }) => listed(text));
    assert.deepEqual(reasoned.toSorted(), others.toSorted());
  });
}
