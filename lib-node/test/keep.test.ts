import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact, releaseArtefact } from '../dist/index.js';
import { ID, makeSetting } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { packPackage } from './support/tarballs.ts';

const TARBALLS = ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4'].map((version) => packPackage(version));
const NAMES = TARBALLS.map(({ digest }) => digest.slice(7, 23));

/** Publishes and fetches one tarball after another; for the cache, over an hour passes between them. */
async function update(
  { registry, options }: Setting,
  count: number,
  keep: number,
  release: boolean,
): Promise<string[]> {
  const paths: string[] = [];
  for (const tarball of TARBALLS.slice(0, count)) {
    registry.publish(ID, { noarch: tarball });
    const { path } = await ensureArtefact({ ...options, keep });
    paths.push(path);
    if (release) releaseArtefact(path);
    await ageByAnHour(join(path, '..', '.state.json'));
  }
  return paths;
}

async function ageByAnHour(stateFile: string): Promise<void> {
  const state = JSON.parse(await readFile(stateFile, 'utf8')) as { retired: Record<string, string> };
  const earlier = (since: string): string => new Date(Date.parse(since) - 3_700_000).toISOString();
  state.retired = Object.fromEntries(Object.entries(state.retired).map(([name, since]) => [name, earlier(since)]));
  await writeFile(stateFile, JSON.stringify(state));
}

const unpacked = async (path: string | undefined): Promise<string[]> =>
  (await readdir(join(path ?? '', '..'))).filter((name) => !name.startsWith('.')).sort();
const names = (...indexes: number[]): string[] => indexes.map((index) => NAMES[index] ?? '').sort();

test('directories are evicted at the first update an hour after they went out of date', async (t) => {
  const setting = await makeSetting(t);
  const paths = await update(setting, 4, 1, true);
  assert.deepEqual(await unpacked(paths[0]), names(2, 3));
});

test('keep counts the newest directories, including the current one', async (t) => {
  const setting = await makeSetting(t);
  const paths = await update(setting, 5, 3, true);
  assert.deepEqual(await unpacked(paths[0]), names(2, 3, 4));
});

test('a directory that this process has not released is kept', async (t) => {
  const setting = await makeSetting(t);
  const paths = await update(setting, 4, 1, false);
  assert.deepEqual(await unpacked(paths[0]), names(0, 1, 2, 3));
  releaseArtefact(paths[0] ?? '');
  setting.registry.publish(ID, { noarch: TARBALLS[4] ?? assert.fail() });
  await ensureArtefact(setting.options);
  assert.deepEqual(await unpacked(paths[0]), names(1, 2, 3, 4));
});

test('a directory that was returned twice must be released twice', async (t) => {
  const setting = await makeSetting(t);
  const [first = ''] = await update(setting, 1, 1, false);
  await ensureArtefact(setting.options);
  releaseArtefact(first);
  await update(setting, 4, 1, true);
  assert.ok((await unpacked(first)).includes(NAMES[0] ?? ''));
  releaseArtefact(first);
  releaseArtefact(first);
});

test('a directory that just went out of date is kept for other processes', async (t) => {
  const { registry, options } = await makeSetting(t);
  let last = '';
  for (const tarball of TARBALLS) {
    registry.publish(ID, { noarch: tarball });
    last = (await ensureArtefact(options)).path;
    releaseArtefact(last);
  }
  assert.equal((await unpacked(last)).length, TARBALLS.length);
});
