// The real plug-in as its author has it, for tests of `berth publish`.

import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../scripts/runtime.ts';

export const NAME = '@data-fair/processing-hello-world';

/** A copy of the real plug-in, in a git repository on a branch, with a lock file. */
export function plugIn(folder: string): string {
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
  git('commit', '-m', 'all of it');
  return folder;
}

export function tag(folder: string, name: string): void {
  execFileSync('git', ['tag', name], { cwd: folder });
}
