import assert from 'node:assert/strict';
import { link, mkdir, open, readFile, readdir, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact, ensureArtefactFile } from '../dist/index.js';
import { dropping, onRequests } from './support/misbehaviours.ts';
import { makeFileSetting } from './support/setting.ts';
import { describeTarball, incompressible, packPackage } from './support/tarballs.ts';

const ID = '@acme/europe.pmtiles';
const ONE = describeTarball(incompressible(300_000, 'one'));
const TWO = describeTarball(incompressible(300_000, 'two'));

test('the first call stores the file below the cache, under its id', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const result = await ensureArtefactFile(options);
  assert.deepEqual(result, {
    path: join(cacheDir, '@acme/europe.pmtiles'),
    dataUpdatedAt: '2026-01-01T00:00:01.000Z',
    digest: ONE.digest,
    downloaded: true,
    stale: false,
  });
  assert.deepEqual(await readFile(result.path), ONE.bytes);
  assert.deepEqual((await readdir(cacheDir)).sort(), ['.files', '@acme']);
  assert.deepEqual(await readdir(join(cacheDir, '@acme')), ['europe.pmtiles']);
});

test('a hit is one conditional request and writes nothing', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const first = await ensureArtefactFile(options);
  const watched = [
    first.path,
    join(cacheDir, '@acme'),
    join(cacheDir, '.files', encodeURIComponent(ID)),
    join(cacheDir, '.files', encodeURIComponent(ID), '.state.json'),
  ];
  const times = async (): Promise<number[]> =>
    await Promise.all(watched.map(async (path) => (await stat(path)).ctimeMs));
  const before = await times();
  registry.requests.length = 0;
  assert.deepEqual(await ensureArtefactFile(options), { ...first, downloaded: false });
  assert.equal(registry.requests.length, 1);
  assert.ok(registry.requests[0]?.headers['if-none-match'] !== undefined);
  assert.deepEqual(await times(), before);
});

test('a newer upload replaces the file atomically; open files keep the old bytes', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const first = await ensureArtefactFile(options);
  const reader = await open(first.path);
  registry.publishFile(ID, TWO);
  const dataUpdatedAt = '2026-01-01T00:00:02.000Z';
  assert.deepEqual(await ensureArtefactFile(options), { ...first, digest: TWO.digest, dataUpdatedAt });
  assert.deepEqual(await readFile(first.path), TWO.bytes);
  assert.deepEqual(await reader.readFile(), ONE.bytes);
  await reader.close();
});

test('an edit of metadata, or another upload of the same bytes, downloads nothing', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const first = await ensureArtefactFile(options);
  for (const change of [
    () => {
      registry.edit(ID, { title: { en: 'Europe' } });
    },
    () => {
      registry.publishFile(ID, ONE);
    },
  ]) {
    change();
    const { dataUpdatedAt, ...again } = await ensureArtefactFile(options);
    assert.deepEqual({ ...again, dataUpdatedAt: first.dataUpdatedAt }, { ...first, downloaded: false });
    assert.equal(dataUpdatedAt, registry.dateOf(ID));
  }
  registry.requests.length = 0;
  await ensureArtefactFile(options);
  assert.ok(registry.requests[0]?.headers['if-none-match'] !== undefined);
});

test('a file name is a path inside the cache', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const { path } = await ensureArtefactFile({ ...options, fileName: 'tiles/été/europe 1.pmtiles' });
  assert.equal(path, join(cacheDir, 'tiles/été/europe 1.pmtiles'));
  for (const fileName of [
    '',
    '.',
    '..',
    '../x',
    'a/../x',
    '/x',
    'x/',
    'a//b',
    './x',
    '.files/x',
    'a/.state.json',
    'a\\b',
    'a\0b',
    'a\nb',
    'é'.repeat(128),
  ]) {
    await assert.rejects(
      ensureArtefactFile({ ...options, fileName }),
      (error) => error instanceof TypeError && error.message.includes('fileName must be'),
      fileName,
    );
  }
});

test('an id that is not a valid path requires a file name', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, '../../etc/passwd');
  registry.publishFile(options.artefactId, ONE);
  await assert.rejects(ensureArtefactFile(options), /^TypeError: .*set fileName$/);
  assert.equal((await ensureArtefactFile({ ...options, fileName: 'passwd' })).path, join(cacheDir, 'passwd'));
});

test('files and packages share a cache without collisions', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  const ids = ['a b', 'a%20b', 'é', 'x'.repeat(250), `${'y/'.repeat(120)}z`, '@acme/a', '@acme/b', 'tiles'];
  const paths = new Set<string>();
  for (const [index, artefactId] of ids.entries()) {
    const file = describeTarball(Buffer.from(`${index}`));
    registry.publishFile(artefactId, file);
    const { path } = await ensureArtefactFile({ ...options, artefactId });
    assert.ok(path.startsWith(`${cacheDir}/`));
    paths.add(path);
  }
  for (const artefactId of ['.files', '@acme/a@1', 'package']) {
    registry.publish(artefactId, { noarch: packPackage('1.0.0') });
    paths.add((await ensureArtefact({ ...options, artefactId })).path);
  }
  assert.equal(paths.size, ids.length + 3);
  for (const [index, artefactId] of ids.entries())
    assert.equal(await readFile(join(cacheDir, artefactId), 'utf8'), `${index}`);
  registry.publishFile('package', ONE);
  await assert.rejects(ensureArtefactFile({ ...options, artefactId: 'package' }), { code: 'EEXIST' });
});

test('two artefacts with the same file name replace each other', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publishFile('tiles@1', ONE);
  registry.publishFile('tiles@2', TWO);
  const [one, two] = ['tiles@1', 'tiles@2'].map((artefactId) => ({ ...options, artefactId, fileName: 'tiles' }));
  assert.equal((await ensureArtefactFile(one ?? options)).digest, ONE.digest);
  const { path, digest } = await ensureArtefactFile(two ?? options);
  assert.equal(digest, TWO.digest);
  assert.deepEqual(await readFile(path), TWO.bytes);
  registry.misbehave(dropping());
  await assert.rejects(
    ensureArtefactFile({ ...options, artefactId: 'tiles@1', fileName: 'tiles', retries: 0, allowStale: true }),
    { code: 'unreachable' },
  );
});

test('a modified file is downloaded again, one that was only touched is not', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const { path } = await ensureArtefactFile(options);
  await truncate(path, 1000);
  assert.equal((await ensureArtefactFile(options)).downloaded, true);
  await writeFile(path, TWO.bytes);
  assert.equal((await ensureArtefactFile(options)).downloaded, true);
  assert.deepEqual(await readFile(path), ONE.bytes);
  await utimes(path, new Date(0), new Date(0));
  assert.equal((await ensureArtefactFile(options)).downloaded, false);
  assert.equal(registry.requests.length, 4);
});

test('after a crash just before the rename, the old file is recognised', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const first = await ensureArtefactFile(options);
  await link(first.path, join(cacheDir, 'kept'));
  registry.publishFile(ID, TWO);
  await ensureArtefactFile(options);
  await rename(join(cacheDir, 'kept'), first.path);
  registry.misbehave(dropping());
  assert.deepEqual(await ensureArtefactFile({ ...options, retries: 0, allowStale: true }), {
    ...first,
    downloaded: false,
    stale: true,
  });
  registry.misbehave(undefined);
  const dataUpdatedAt = '2026-01-01T00:00:02.000Z';
  assert.deepEqual(await ensureArtefactFile(options), { ...first, digest: TWO.digest, dataUpdatedAt });
  assert.deepEqual(await readFile(first.path), TWO.bytes);
});

test('an npm artefact is refused', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publish(ID, { noarch: packPackage('1.0.0') });
  await assert.rejects(ensureArtefactFile(options), { status: 400, code: 'wrong_format', artefactId: ID });
});

test('the page of another site or of a proxy is never taken for the file', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const page = (): void => {
    registry.misbehave((_request, response) => {
      const date = new Date().toUTCString();
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'etag': '"65a"', 'last-modified': date });
      response.end('<!doctype html><title>Sign in</title>');
      return true;
    });
  };
  page();
  await assert.rejects(ensureArtefactFile(options), { code: 'bad_answer', message: /is registryUrl the URL/ });
  assert.deepEqual((await readdir(cacheDir)).sort(), ['.files']);
  registry.misbehave(undefined);
  const { path } = await ensureArtefactFile(options);
  page();
  await assert.rejects(ensureArtefactFile({ ...options, allowStale: true }), { code: 'bad_answer' });
  assert.deepEqual(await readFile(path), ONE.bytes);
});

test('allowStale returns the cached file while the registry is unreachable', async (t) => {
  const { registry, options } = await makeFileSetting(t, ID);
  registry.publishFile(ID, ONE);
  const first = await ensureArtefactFile(options);
  registry.publishFile(ID, TWO);
  for (const misbehaviour of [dropping(), onRequests('/download', Infinity, dropping())]) {
    registry.misbehave(misbehaviour);
    assert.deepEqual(await ensureArtefactFile({ ...options, retries: 0, allowStale: true }), {
      ...first,
      downloaded: false,
      stale: true,
    });
    await assert.rejects(ensureArtefactFile({ ...options, retries: 0 }), { code: 'unreachable' });
  }
  registry.misbehave(undefined);
  registry.remove(ID);
  await assert.rejects(ensureArtefactFile({ ...options, allowStale: true }), {
    status: 404,
    code: 'artefact_not_found',
  });
});

test('a directory at the path of the file is reported before any download', async (t) => {
  const { registry, cacheDir, options } = await makeFileSetting(t, 'tiles');
  registry.publishFile('tiles', ONE);
  await mkdir(join(cacheDir, 'tiles'));
  await assert.rejects(ensureArtefactFile(options), { code: 'EEXIST', message: /use another fileName$/ });
  assert.equal(registry.countRequests('/download'), 0);
});
