// The four combinations of database, storage and way to sign in. `npm test` runs each API suite on one of them, chosen
// by its path, so that all four occur; `npm run test:full` runs each suite on all four.

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

/** Picks an item by a name, deterministically. */
export function pick<T>(items: readonly T[], name: string): T {
  const number = createHash('sha256').update(name).digest().readUInt32BE();
  return items[number % items.length]!;
}

/** Path of the test file that this process runs, such as `api/test/artefacts/list.api.test.ts`. */
function currentFile(): string {
  return relative(resolve(import.meta.dirname, '../../..'), process.argv[1] ?? '');
}

/** The combinations of a run by BERTH_TEST_BACKENDS: `straight`, `crossed`, or by default one for each file. */
export function combinationsOf(backends: string | undefined, file: string): readonly Combination[] {
  if (backends === 'straight') return STRAIGHT;
  if (backends === 'crossed') return CROSSED;
  return [pick([...STRAIGHT, ...CROSSED], file)];
}

const COMBINATIONS = combinationsOf(process.env['BERTH_TEST_BACKENDS'], currentFile());

/** The databases that an API suite runs on in this run. */
export const DIALECTS: readonly DialectName[] = COMBINATIONS.map(({ dialect }) => dialect);

/** The storage combined with a database in this run. */
export function storageOf(dialect: DialectName): StorageName {
  return combinationWith(dialect).storage;
}

/** The way to sign in combined with a database in this run, for tests that do not depend on it. */
export function signInOf(dialect: DialectName): SignInMode {
  return combinationWith(dialect).signIn;
}

/** For a database that is not in this run, the straight combination. */
function combinationWith(dialect: DialectName): Combination {
  return [...COMBINATIONS, ...STRAIGHT].find((combination) => combination.dialect === dialect)!;
}

/** All items in `npm run test:full`; in `npm test` one, picked by the path of this file. */
export function inThisRun<T>(all: readonly T[]): readonly T[] {
  return isThorough() ? all : [pick(all, currentFile())];
}

/** All items in `npm run test:full`; in `npm test` `count` of them, from one picked by the path of this file. */
export function someInThisRun<T>(all: readonly T[], count: number): readonly T[] {
  if (isThorough()) return all;
  const first = all.indexOf(pick(all, currentFile()));
  return [...all.slice(first), ...all.slice(0, first)].slice(0, count);
}

/** Number of repetitions: `often` in `npm run test:full`, `seldom` in `npm test`. */
export function times({ often, seldom }: { often: number; seldom: number }): number {
  return isThorough() ? often : seldom;
}

function isThorough(): boolean {
  return ['straight', 'crossed'].includes(process.env['BERTH_TEST_BACKENDS'] ?? '');
}
