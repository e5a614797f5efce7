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

/** The package that is published, whose version tags may carry. */
export interface NamedVersion {
  name: string;
  version: string;
}

const VERSION_TAG = /^v\d/;

/**
 * Finds the ref: the CI's tag or branch, else git's version tag of the package at HEAD, or the branch.
 * @throws Error if there is none
 */
export function findRef({ env, directory }: RefSource, { name: packageName, version }: NamedVersion): Ref {
  const { GITHUB_REF_TYPE: type, GITHUB_REF_NAME: name, CI_COMMIT_TAG: tag, CI_COMMIT_BRANCH: branch } = env;
  if ((type === 'tag' || type === 'branch') && name) return { type, name };
  if (tag) return { type: 'tag', name: tag };
  if (branch) return { type: 'branch', name: branch };
  const tags = git(directory, ['tag', '--points-at', 'HEAD'])?.split('\n') ?? [];
  // In a monorepo, tags of several packages may be at one commit.
  const versionTag =
    tags.find((it) => isTagOf(it, { name: packageName, version })) ?? tags.find((it) => VERSION_TAG.test(it));
  if (versionTag) return { type: 'tag', name: versionTag };
  const current = git(directory, ['symbolic-ref', '--short', '-q', 'HEAD']);
  if (current) return { type: 'branch', name: current };
  throw new Error('missing ref: HEAD is neither a tag nor a branch; set --ref or --id');
}

/** Parses the value of `--ref`: a tag if it looks like a version tag of the package, else a branch. */
export function parseRef(text: string, { name, version }: NamedVersion): Ref {
  if (text === '') throw new UsageError('--ref must be a tag or a branch');
  const isTag = VERSION_TAG.test(text) || text === version || text.startsWith(`${name}@`);
  return { type: isTag ? 'tag' : 'branch', name: text };
}

/** Tells whether a tag is that of the version: `v1.2.3`, `1.2.3`, or `<name>@` and one of both, as in monorepos. */
function isTagOf(tag: string, { name, version }: NamedVersion): boolean {
  return [`v${version}`, version, `${name}@${version}`, `${name}@v${version}`].includes(tag);
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
 * Derives the artefact's ID: `<name>@<major>` or `<name>@<major>.<minor>` on a tag of the version, `<name>@<branch>`
 * on a branch. A flat ID has `-` in place of `/` and of the separating `@`.
 * @throws Error if a tag is not that of the version
 */
export function artefactIdFor(
  { name, version }: NamedVersion,
  ref: Ref,
  { isFlat = false, line = 'major' }: { isFlat?: boolean; line?: Line },
): string {
  if (ref.type === 'tag' && !isTagOf(ref.name, { name, version }))
    throw new Error(mismatchOf(ref.name, name, version));
  const versionLine = version.split('.', line === 'minor' ? 2 : 1).join('.');
  const suffix = ref.type === 'tag' ? versionLine : ref.name;
  return isFlat ? `${name}-${suffix}`.replaceAll('/', '-') : `${name}@${suffix}`;
}

function mismatchOf(tag: string, name: string, version: string): string {
  if (VERSION_TAG.test(tag) || /^\d+\.\d+\.\d+/.test(tag) || tag.startsWith(`${name}@`))
    return `tag ${tag} does not match version ${version} in package.json`;
  const [, other] = /^(@?[^@]+)@v?\d/.exec(tag) ?? [];
  if (other !== undefined)
    return `tag ${tag} is of the package ${other}, not of ${name}: publish that one, or set --ref`;
  return (
    `tag ${tag} is not that of a version: expected v${version}, ${version} or ${name}@${version}; ` +
    `set --ref to publish ${name}@<ref>`
  );
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
