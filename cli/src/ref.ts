// Finds the ref to publish, a tag or a branch, in the CI's environment or git, and derives the artefact's ID from it.

import { execFileSync } from 'node:child_process';
import { UsageError } from './command.ts';

export interface Ref {
  type: 'tag' | 'branch';
  name: string;
}

export interface RefSource {
  env: NodeJS.ProcessEnv;
  /** Working directory for git. */
  directory: string;
}

const VERSION_TAG = /^v\d/;

/** Finds the ref: the CI's tag or branch, else git's version tag at HEAD or branch. @throws Error if there is none */
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
  throw new Error('missing ref: HEAD is neither a tag nor a branch; set --ref or --id');
}

/** The versions that share one artefact: all of `1`, or all of `1.2`. */
export type Line = 'major' | 'minor';

/**
 * Chooses the line: the option's, else that of package.json, else `minor` for an application: each minor version has a
 * configuration of its own.
 * @throws UsageError, Error if the one that counts is neither major nor minor
 */
export function chooseLine(option: string | undefined, manifest: unknown, category: unknown): Line {
  const line = option ?? manifest ?? (category === 'application' ? 'minor' : 'major');
  if (line === 'major' || line === 'minor') return line;
  if (option !== undefined) throw new UsageError('--line must be major or minor');
  throw new Error('registry.line in package.json must be "major" or "minor"');
}

/**
 * Derives the artefact's ID: `<name>@<major>` or `<name>@<major>.<minor>` on a tag `v1.2.3`, `<name>@<branch>` on a
 * branch. A flat ID has `-` in place of `/` and of the separating `@`.
 * @throws Error if a version tag does not match the version
 */
export function artefactIdFor(
  { name, version }: { name: string; version: string },
  ref: Ref,
  { isFlat = false, line = 'major' }: { isFlat?: boolean; line?: Line },
): string {
  if (ref.type === 'tag' && VERSION_TAG.test(ref.name) && ref.name !== `v${version}`) {
    throw new Error(`tag ${ref.name} does not match version ${version} in package.json`);
  }
  const versionLine = version.split('.', line === 'minor' ? 2 : 1).join('.');
  const suffix = ref.type === 'tag' && VERSION_TAG.test(ref.name) ? versionLine : ref.name;
  return isFlat ? `${name}-${suffix}`.replaceAll('/', '-') : `${name}@${suffix}`;
}

/** Parses the value of `--ref`: a tag if it looks like a version tag, else a branch. */
export function parseRef(text: string): Ref {
  if (text === '') throw new UsageError('--ref must be a tag or a branch');
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
