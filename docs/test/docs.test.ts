import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { REFERENCE_PAGES } from '../../scripts/docs.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { findBrokenReferences, listMarkdown } from './references.ts';

describe('a Markdown file references only what exists', () => {
  const help = execFileSync(process.execPath, ['cli/bin/berth.js', '--help'], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  });
  const berthCommands = new Set([...help.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1] ?? ''));
  for (const path of listMarkdown(repositoryRoot)) {
    test(path, () => {
      assert.deepEqual(findBrokenReferences(repositoryRoot, path, berthCommands), []);
    });
  }
});

describe('a generated reference page is up to date (npm run docs:write)', () => {
  for (const [path, render] of Object.entries(REFERENCE_PAGES)) {
    test(path, async () => {
      assert.equal(readFileSync(join(repositoryRoot, path), 'utf8'), await render());
    });
  }

  test('errors are defined only in files named errors.ts, from which the reference is generated', () => {
    const others = globSync('api/**/*.ts', {
      cwd: repositoryRoot,
      exclude: (path) => ['node_modules', 'test'].includes(basename(path)),
    }).filter(
      (path) =>
        basename(path) !== 'errors.ts' && /\bdefineError\(/.test(readFileSync(join(repositoryRoot, path), 'utf8')),
    );
    assert.deepEqual(others, []);
  });
});

describe('the repository contains no machine-specific path', () => {
  test('the lock file names no registry', () => {
    assert.doesNotMatch(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8'), /"resolved": "[a-z+]+:/);
  });

  test('no file contains the path of a home folder', () => {
    const generated = ['node_modules', 'dist', 'data', '.cache', '.git', '.test-build'];
    const files = globSync('**/*.{ts,js,vue,json,md,sh,yaml,yml,html}', {
      cwd: repositoryRoot,
      exclude: (path) => generated.includes(basename(path)),
    });
    assert.ok(files.includes('package.json'));
    const personal = files.filter((path) =>
      /(?<![\w.$}])\/(?:home|Users|root|work)\/\w/.test(readFileSync(join(repositoryRoot, path), 'utf8')),
    );
    assert.deepEqual(personal, []);
  });
});
