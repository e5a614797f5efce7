// Files and decisions that comments in the sources name exist.

import assert from 'node:assert/strict';
import { globSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';

const SOURCES = '{api,bench,cli,deploy,docs,lib-node,scripts,ui}/**/*.{ts,vue,js,sh,py}';
const NOT_OURS = new Set(['node_modules', 'dist', 'generated', 'data', '.cache', 'clients']);
/** A file name, alone or with preceding folders. */
const FILE = /(?<![\w./<>*{$@-])((?:[\w.-]+\/)*[\w-][\w.-]*\.(?:ts|vue|md|js|sh|py))(?![\w*-])/g;
const DECISIONS = /\bdecisions? (\d+)(?:,? (?:and|or) (\d+))?/gi;
/** Placeholders, files inside archives, and generated files. */
const EXAMPLES = /^(?:.*\/)?x\.(?:[\w-]+\.)*\w+$|^lib\/a\.js$|^index\.js$|^\.\.\/|\/generated\//;

const paths = globSync(SOURCES, { cwd: repositoryRoot, exclude: (path) => NOT_OURS.has(basename(path)) });
const existingPaths = globSync('**/*.{ts,vue,md,js,sh,py}', {
  cwd: repositoryRoot,
  exclude: (path) => NOT_OURS.has(basename(path)),
}).map((path) => `/${path}`);
const decisions = new Set(
  readdirSync(join(repositoryRoot, 'docs/decisions')).map((name) => Number.parseInt(name, 10)),
);

/** The comments of a text, line by line: `//`, `/* … *\/`, `#` and `<!-- … -->`. */
function commentsOf(text: string, path: string): { line: number; comment: string }[] {
  const pattern = /\.(?:sh|py)$/.test(path)
    ? /(?:^|\s)#\s(.*)$/
    : /(?:^|[\s;{])\/\/\s(.*)$|^\s*\/?\*+\s?(.*)$|\/\*\*?\s(.*?)\*\/|<!--(.*)-->/;
  return text.split('\n').flatMap((content, index) => {
    const [, ...parts] = pattern.exec(content) ?? [];
    const comment = parts.find((part) => part !== undefined);
    return comment === undefined ? [] : [{ line: index + 1, comment: comment.replaceAll(/https?:\/\/\S+/g, '') }];
  });
}

/** Whether a file of the repository has this name, or a path that ends with it. */
function exists(name: string): boolean {
  return EXAMPLES.test(name) || existingPaths.some((path) => path.endsWith(`/${name.replace(/^\.\//, '')}`));
}

/** References to missing files and decisions, such as `api/src/app.ts:3 names routes.tsx`. */
function missingIn(path: string, text: string): string[] {
  return commentsOf(text, path).flatMap(({ line, comment }) =>
    [
      ...[...comment.matchAll(FILE)].map(([, name = '']) => name).filter((name) => !exists(name)),
      ...[...comment.matchAll(DECISIONS)]
        .flatMap(([, ...numbers]) => numbers.filter((number) => number !== undefined))
        .filter((number) => !decisions.has(Number(number)))
        .map((number) => `decision ${number}`),
    ].map((name) => `${path}:${line} names ${name}`),
  );
}

describe('a comment', () => {
  test('names only files and decisions that exist', () => {
    assert.deepEqual(
      paths.flatMap((path) =>
        path === 'docs/test/comments.test.ts' ? [] : missingIn(path, readFileSync(join(repositoryRoot, path), 'utf8')),
      ),
      [],
    );
  });

  test('is checked in every position, and code is not', () => {
    const text = `// See gone.ts and app.ts.
const a = 'none.ts'; // As lost.ts does: decision 99.
/** Kept by api/src/app.ts and api/src/none.ts. */
/**
 * Decisions 6 and 98, docs/gone.md.
 */
import { b } from './left.ts';`;
    assert.deepEqual(missingIn('api/src/made.ts', text), [
      'api/src/made.ts:1 names gone.ts',
      'api/src/made.ts:2 names lost.ts',
      'api/src/made.ts:2 names decision 99',
      'api/src/made.ts:3 names api/src/none.ts',
      'api/src/made.ts:5 names docs/gone.md',
      'api/src/made.ts:5 names decision 98',
    ]);
  });
});
