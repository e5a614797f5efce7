import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { RULES, type Dependencies } from './support/architecture/rules.ts';
import { readSourceFiles } from './support/architecture/source-files.ts';

const repositoryRoot = resolve(import.meta.dirname, '../..');
const files = readSourceFiles(repositoryRoot);
const dependencies = readDependencies();

for (const [name, rule] of Object.entries(RULES))
  test(name, () => {
    assert.deepEqual(rule(files, dependencies), []);
  });

interface Manifest {
  dependencies?: object;
  devDependencies?: object;
  peerDependencies?: object;
  optionalDependencies?: object;
}

function readDependencies(): Dependencies {
  const manifestOf = (path: string) =>
    JSON.parse(readFileSync(join(repositoryRoot, path, 'package.json'), 'utf8')) as Manifest;
  const shared = Object.keys(manifestOf('.').devDependencies ?? {});
  const packages = (['api', 'lib-node', 'cli', 'ui', 'bench'] as const).filter((name) =>
    existsSync(join(repositoryRoot, name, 'package.json')),
  );
  return Object.fromEntries(
    packages.map((name) => {
      const { dependencies, peerDependencies, optionalDependencies, devDependencies } = manifestOf(name);
      const code = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
      return [
        name,
        { code: new Set(code), tests: new Set([...code, ...Object.keys(devDependencies ?? {}), ...shared]) },
      ];
    }),
  );
}
