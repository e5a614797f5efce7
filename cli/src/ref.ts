// Which ref is published: a tag or a branch, from the CI's environment or from git, and the id that it makes.

import { execFileSync } from 'node:child_process';
import { UsageError } from './command.ts';

export interface Ref {
  type: 'tag' | 'branch';
  name: string;
}

export interface RefSource {
  env: NodeJS.ProcessEnv;
  /** Where git is asked. */
  directory: string;
}

const VERSION_TAG = /^v\d/;

/** @throws Error that says to give --ref */
export function findRef({ env, directory }: RefSource): Ref {
  const { GITHUB_REF_TYPE: type, GITHUB_REF_NAME: name, CI_COMMIT_TAG: tag, CI_COMMIT_BRANCH: branch } = env;
  if ((type === 'tag' || type === 'branch') && name) return { type, name };
  if (tag) return { type: 'tag', name: tag };
  if (branch) return { type: 'branch', name: branch };
  const versionTag = git(directory, ['tag', '--points-at', 'HEAD'])
    ?.split('\n')
    .find((it) => VERSION_TAG.test(it));
  if (versionTag) return { type: 'tag', name: versionTag };
  const current = git(directory, ['symbolic-ref', '--short', '-q', 'HEAD']);
  if (current) return { type: 'branch', name: current };
  throw new Error('which ref? This is neither a tag nor a branch of git: give --ref or --id');
}

/**
 * Makes the id: `<name>@<major>` on a tag `v1.2.3`, `<name>@<branch>` on a branch; flat with `-` in place of `/` and
 * of the `@` between.
 * @throws Error when the tag is not that of the version /
 */
export function idOf({ name, version }: { name: string; version: string }, ref: Ref, isFlat: boolean): string {
  if (ref.type === 'tag' && VERSION_TAG.test(ref.name) && ref.name !== `v${version}`) {
    throw new Error(`the tag is ${ref.name}, but package.json says version ${version}: they must be equal`);
  }
  const flag = ref.type === 'tag' && VERSION_TAG.test(ref.name) ? (version.split('.', 1)[0] ?? '') : ref.name;
  return isFlat ? `${name}-${flag}`.replaceAll('/', '-') : `${name}@${flag}`;
}

/** What `--ref` says: a tag where it looks like that of a version, else a branch. */
export function parseRef(text: string): Ref {
  if (text === '') throw new UsageError('--ref takes a tag or a branch');
  return { type: VERSION_TAG.test(text) ? 'tag' : 'branch', name: text };
}

function git(directory: string, words: string[]): string | undefined {
  try {
    return execFileSync('git', words, {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}
