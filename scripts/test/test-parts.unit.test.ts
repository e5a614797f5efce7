import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { describe, test } from 'node:test';
import { combinationsOf, pick } from '../../api/test/support/combinations.ts';
import { repositoryRoot } from '../runtime.ts';
import { filesOf, PARTS, selectParts } from '../test-parts.ts';
import { MAX_FILE_SECONDS, SLOW_FILES, tooSlow } from '../test-summary.ts';

const everyFile = globSync('**/*.test.ts', { cwd: repositoryRoot, exclude: ['**/node_modules/**', '.cache/**'] });
const sourcesOf = (name: string) =>
  (PARTS[name]?.runs ?? []).filter(({ nodes }) => !nodes).flatMap((run) => filesOf(run, { paths: [] }));
const namesOf = (...words: string[]) => selectParts(words).parts.map(({ name }) => name);

describe('the parts of the tests', () => {
  test('contain every test file', () => {
    const included = new Set(Object.keys(PARTS).flatMap(sourcesOf));
    assert.deepEqual(
      everyFile.filter((file) => !included.has(file)),
      [],
    );
  });

  test('contain only existing files', () => {
    const patterns = Object.values(PARTS).flatMap(({ runs }) =>
      runs.flatMap(({ files, except = [] }) => [...files, ...except]),
    );
    assert.deepEqual(
      patterns.filter((pattern) => globSync(pattern, { cwd: repositoryRoot }).length === 0),
      [],
    );
  });

  test('run API suites on all four combinations of database and storage in test:full', () => {
    const suites = sourcesOf('everyday').filter((file) => file.startsWith('api/') && file.endsWith('.api.test.ts'));
    assert.ok(suites.length > 50);
    for (const part of ['straight', 'crossed']) {
      const included = [...sourcesOf(part), ...sourcesOf('kills')];
      assert.deepEqual(
        suites.filter((file) => !included.includes(file)),
        [],
      );
    }
    const all = ['straight', 'crossed'].flatMap((backends) => combinationsOf(backends, ''));
    assert.equal(new Set(all.map(({ dialect, storage }) => dialect + storage)).size, 4);
  });

  test('alternate the combinations by file in npm test, so that each one occurs', () => {
    const suites = sourcesOf('everyday').filter((file) => file.endsWith('.api.test.ts'));
    const chosen = suites.map((file) => combinationsOf(undefined, file));
    assert.ok(chosen.every(({ length }) => length === 1));
    assert.equal(
      new Set(chosen.map(([{ dialect, storage, signIn } = { dialect: '' }]) => `${dialect} ${storage} ${signIn}`))
        .size,
      4,
    );
    assert.equal(pick(['a', 'b'], 'x'), pick(['a', 'b'], 'x'));
  });
});

describe('the command line', () => {
  test('selects the everyday part, all parts, or named parts', () => {
    assert.deepEqual(namesOf(), ['everyday']);
    assert.deepEqual(namesOf('--full'), Object.keys(PARTS));
    assert.deepEqual(namesOf('--full', 'pages', 'kills'), ['pages', 'kills']);
    assert.deepEqual(
      [selectParts([]).isWhole, selectParts(['--full', 'kills']).isWhole, selectParts(['scripts/test']).isWhole],
      [true, true, false],
    );
  });

  test('selects files by a substring of their path, and tests by name', () => {
    const selection = selectParts(['scripts/test/test-parts', 'by a substring of their path']);
    assert.deepEqual(selection.names, ['by a substring of their path']);
    assert.deepEqual(
      selection.parts[0]!.runs.flatMap((run) => filesOf(run, selection)),
      ['scripts/test/test-parts.unit.test.ts'],
    );
    // Not a part without --full.
    assert.deepEqual(selectParts(['kills']).names, ['kills']);
  });

  test('selects compiled files for older Node versions', () => {
    const selection = selectParts(['--full', 'nodes', 'unpack']);
    assert.deepEqual(filesOf(selection.parts[0]!.runs[0]!, selection), ['lib-node/.test-build/unpack.test.js']);
  });
});

test('files over the time limit fail the run unless they have a reason', () => {
  const slow = { file: 'x', seconds: MAX_FILE_SECONDS + 0.1 };
  assert.deepEqual(
    tooSlow({ seconds: 0, cpuSeconds: 0, tests: 0, slowest: [slow, { file: 'y', seconds: MAX_FILE_SECONDS }] }),
    [slow],
  );
  assert.deepEqual(
    Object.keys(SLOW_FILES).filter((file) => !everyFile.includes(file)),
    [],
  );
});
