// Which artefact a tag or a branch is published to.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, test } from 'node:test';
import { join } from 'node:path';
import { artefactIdFor, findRef, parseRef, type Ref } from '../src/ref.ts';

const NAME = '@acme/plug';
const plug = { name: NAME, version: '1.2.3' };
const tag = (name: string): Ref => ({ type: 'tag', name });
/** The ID, or the error. */
const outcome = (find: () => Ref) => {
  try {
    return artefactIdFor(plug, find(), {});
  } catch (error) {
    return (error as Error).message;
  }
};
const NO_VERSION = (name: string) =>
  `tag ${name} is not that of a version: expected v1.2.3, 1.2.3 or ${NAME}@1.2.3; set --ref to publish ${NAME}@<ref>`;
const OTHER = (name: string, other: string) =>
  `tag ${name} is of the package ${other}, not of ${NAME}: publish that one, or set --ref`;
const MISMATCH = (name: string) => `tag ${name} does not match version 1.2.3 in package.json`;

describe('tags', () => {
  const cases: Record<string, string> = {
    'v1.2.3': `${NAME}@1`,
    '1.2.3': `${NAME}@1`,
    [`${NAME}@1.2.3`]: `${NAME}@1`,
    [`${NAME}@v1.2.3`]: `${NAME}@1`,
    'v1.2.4': MISMATCH('v1.2.4'),
    '1.2.4': MISMATCH('1.2.4'),
    'v1': MISMATCH('v1'),
    [`${NAME}@1.2.4`]: MISMATCH(`${NAME}@1.2.4`),
    '@acme/other@1.2.3': OTHER('@acme/other@1.2.3', '@acme/other'),
    'other@v1.2.3': OTHER('other@v1.2.3', 'other'),
    'nightly': NO_VERSION('nightly'),
    'release-1.2.3': NO_VERSION('release-1.2.3'),
    '1': NO_VERSION('1'),
  };
  const environments: Record<string, (name: string) => NodeJS.ProcessEnv> = {
    GitHub: (name) => ({ GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: name }),
    GitLab: (name) => ({ CI_COMMIT_TAG: name }),
  };
  for (const [name, expected] of Object.entries(cases))
    for (const [platform, env] of Object.entries(environments))
      test(`${name} on ${platform}`, () => {
        assert.equal(
          outcome(() => findRef({ env: env(name), directory: '/' }, plug)),
          expected,
        );
      });

  test('a branch may have any name, and --ref makes a branch of any other text', () => {
    for (const name of ['main', '1.2.3', 'v1.2.3', 'nightly', `${NAME}@1.2.3`])
      for (const env of [{ GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: name }, { CI_COMMIT_BRANCH: name }])
        assert.equal(
          outcome(() => findRef({ env, directory: '/' }, plug)),
          `${NAME}@${name}`,
        );
    for (const [ref, expected] of [
      ['nightly', `${NAME}@nightly`],
      ['1', `${NAME}@1`],
      ['1.2.3', `${NAME}@1`],
      [`${NAME}@1.2.3`, `${NAME}@1`],
      [`${NAME}@1.2.4`, MISMATCH(`${NAME}@1.2.4`)],
    ] as const)
      assert.equal(
        outcome(() => parseRef(ref, plug)),
        expected,
      );
  });

  test('a line of minor versions is that of these tags as well', () => {
    for (const name of ['v1.2.3', '1.2.3', `${NAME}@1.2.3`])
      assert.equal(artefactIdFor(plug, tag(name), { line: 'minor', isFlat: true }), '@acme-plug-1.2');
  });
});

describe('git', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-refs-'));
  const git = (...words: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main', ...words],
      {
        cwd: folder,
        stdio: 'ignore',
      },
    );
  after(() => {
    rmSync(folder, { recursive: true });
  });

  test('of several tags at a commit, that of the package counts; others leave the branch', () => {
    git('init');
    git('commit', '--allow-empty', '-m', 'first commit');
    const found = () => outcome(() => findRef({ env: {}, directory: folder }, plug));
    git('tag', 'nightly');
    git('tag', '@acme/other@7.0.0');
    assert.equal(found(), `${NAME}@main`);
    git('tag', 'v9.0.0');
    assert.equal(found(), MISMATCH('v9.0.0'));
    git('tag', `${NAME}@1.2.3`);
    assert.equal(found(), `${NAME}@1`);
  });
});
