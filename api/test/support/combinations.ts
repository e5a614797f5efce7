// The four combinations of database, storage and way to sign in, and which of them a run takes. In `npm test` each
// file of an API suite runs on one, chosen by its path, so that all four occur; `npm run test:full` runs each file on
// all of them.

import { createHash } from 'node:crypto';
import { relative, resolve } from 'node:path';
import type { DialectName } from '../../src/db/index.ts';

export type StorageName = 'fs' | 's3';
export type SignInMode = 'local' | 'simple-directory' | 'oidc';

export interface Combination {
  dialect: DialectName;
  storage: StorageName;
  signIn: SignInMode;
}

const STRAIGHT: readonly Combination[] = [
  { dialect: 'sqlite', storage: 'fs', signIn: 'local' },
  { dialect: 'postgres', storage: 's3', signIn: 'simple-directory' },
];
const CROSSED: readonly Combination[] = [
  { dialect: 'sqlite', storage: 's3', signIn: 'oidc' },
  { dialect: 'postgres', storage: 'fs', signIn: 'local' },
];

/** Picks one for a name, always the same one. */
export function pick<T>(some: readonly T[], name: string): T {
  const number = createHash('sha256').update(name).digest().readUInt32BE();
  return some[number % some.length]!;
}

/** Path of the test file that this process runs, such as `api/test/artefacts/list.api.test.ts`. */
function currentFile(): string {
  return relative(resolve(import.meta.dirname, '../../..'), process.argv[1] ?? '');
}

/** The combinations of a run, which BERTH_TEST_BACKENDS names: `straight`, `crossed`, or one for each file. */
export function combinationsOf(backends: string | undefined, file: string): readonly Combination[] {
  if (backends === 'straight') return STRAIGHT;
  if (backends === 'crossed') return CROSSED;
  return [pick([...STRAIGHT, ...CROSSED], file)];
}

const COMBINATIONS = combinationsOf(process.env['BERTH_TEST_BACKENDS'], currentFile());

/** The databases that an API suite runs on in this run. */
export const DIALECTS: readonly DialectName[] = COMBINATIONS.map(({ dialect }) => dialect);

/** The storage that goes with a database in this run. */
export function storageOf(dialect: DialectName): StorageName {
  return combinationWith(dialect).storage;
}

/** The way to sign in that goes with a database in this run, for tests to which it makes no difference. */
export function signInOf(dialect: DialectName): SignInMode {
  return combinationWith(dialect).signIn;
}

/** A suite that names a database which is not in the run gets the straight combination. */
function combinationWith(dialect: DialectName): Combination {
  return [...COMBINATIONS, ...STRAIGHT].find((combination) => combination.dialect === dialect)!;
}

/** All of some in `npm run test:full`, and in `npm test` the one that this file picks. */
export function inThisRun<T>(all: readonly T[]): readonly T[] {
  return isThorough() ? all : [pick(all, currentFile())];
}

/** All of some in `npm run test:full`, and in `npm test` so many of them, from the one on that this file picks. */
export function someInThisRun<T>(all: readonly T[], count: number): readonly T[] {
  if (isThorough()) return all;
  const first = all.indexOf(pick(all, currentFile()));
  return [...all.slice(first), ...all.slice(0, first)].slice(0, count);
}

/** How often something is repeated: `often` in `npm run test:full`, `seldom` in `npm test`. */
export function times({ often, seldom }: { often: number; seldom: number }): number {
  return isThorough() ? often : seldom;
}

function isThorough(): boolean {
  return ['straight', 'crossed'].includes(process.env['BERTH_TEST_BACKENDS'] ?? '');
}
