// A real plug-in in its author's working copy, for tests of `berth publish`.

import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../scripts/runtime.ts';

export const NAME = '@data-fair/processing-hello-world';

/** Copies the plug-in into a new git repository, on the branch main and with a lock file. */
export function createPlugIn(folder: string): string {
  cpSync(join(repositoryRoot, 'node_modules/@data-fair/processing-hello-world'), folder, { recursive: true });
  const git = (...words: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main', ...words],
      { cwd: folder, stdio: 'ignore' },
    );
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...manifest, dependencies: { semver: '7.8.6' }, devDependencies: {} }));
  execFileSync(
    'npm',
    ['install', '--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'],
    { cwd: folder, stdio: 'ignore' },
  );
  git('init');
  git('add', '.');
  git('commit', '-m', 'first commit');
  return folder;
}

export function tag(folder: string, name: string): void {
  execFileSync('git', ['tag', name], { cwd: folder });
}
