import assert from 'node:assert/strict';
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import type { Progress } from '../dist/index.js';
import { ID, makeSetting } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const ONE = packPackage('1.0.0', { 'index.js': 'export default 1' });
const TWO = packPackage('1.1.0', { 'index.js': 'export default 2' });

const entries = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => !name.startsWith('.')).sort();

test('the first call downloads, unpacks without package/ and returns the path', async (t) => {
  const { registry, cacheDir, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE }, { version: '1.0.0' });
  const { dataUpdatedAt, ...result } = await ensureArtefact(options);
  const path = join(cacheDir, '%40acme%2Fsample%401', 'x64', ONE.digest.slice(7, 23));
  assert.deepEqual(result, { path, version: '1.0.0', digest: ONE.digest, downloaded: true, stale: false });
  assert.equal(dataUpdatedAt, '2026-01-01T00:00:01.000Z');
  assert.equal(await readFile(join(path, 'index.js'), 'utf8'), 'export default 1');
  assert.deepEqual(JSON.parse(await readFile(join(path, 'package.json'), 'utf8')), {
    name: '@acme/sample',
    version: '1.0.0',
  });
  assert.deepEqual((await readdir(join(path, '..'))).sort(), ['.lock', '.state.json', ONE.digest.slice(7, 23)]);
});

test('a hit is one conditional request and writes nothing', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const first = await ensureArtefact(options);
  const slot = join(first.path, '..');
  const before = await stat(slot);
  const stateBefore = await stat(join(slot, '.state.json'));
  registry.requests.length = 0;
  const second = await ensureArtefact(options);
  assert.deepEqual(second, { ...first, downloaded: false });
  assert.equal(registry.requests.length, 1);
  assert.ok(registry.requests[0]?.headers['if-none-match'] !== undefined);
  assert.equal((await stat(slot)).mtimeMs, before.mtimeMs);
  assert.equal((await stat(join(slot, '.state.json'))).mtimeMs, stateBefore.mtimeMs);
});

test('a new upload gets a new directory and leaves the old one unchanged', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE }, { version: '1.0.0' });
  const first = await ensureArtefact(options);
  registry.publish(ID, { noarch: TWO }, { version: '1.1.0' });
  const second = await ensureArtefact(options);
  assert.equal(second.version, '1.1.0');
  assert.equal(second.downloaded, true);
  assert.notEqual(second.path, first.path);
  assert.equal(await readFile(join(first.path, 'index.js'), 'utf8'), 'export default 1');
  assert.equal(await readFile(join(second.path, 'index.js'), 'utf8'), 'export default 2');
});

test('an edit of metadata, or another upload of the same bytes, downloads nothing', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const first = await ensureArtefact(options);
  registry.edit(ID, { title: { en: 'Sample' } });
  assert.deepEqual(await ensureArtefact(options), { ...first, downloaded: false });
  registry.publish(ID, { noarch: ONE }, { version: '1.0.1' });
  const third = await ensureArtefact(options);
  assert.equal(third.path, first.path);
  assert.equal(third.version, '1.0.1');
  assert.equal(registry.countRequests('/tarball'), 1);
  registry.requests.length = 0;
  await ensureArtefact(options);
  assert.ok(registry.requests[0]?.headers['if-none-match'] !== undefined);
});

test('a rollback to earlier bytes reuses their directory', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const first = await ensureArtefact(options);
  registry.publish(ID, { noarch: TWO });
  await ensureArtefact(options);
  registry.publish(ID, { noarch: ONE });
  const third = await ensureArtefact(options);
  assert.equal(third.path, first.path);
  assert.equal(third.downloaded, false);
  assert.equal(registry.countRequests('/tarball'), 2);
});

test('the slot of the architecture is preferred to noarch; each architecture has its own directory', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE, arm64: TWO });
  const x64 = await ensureArtefact(options);
  const arm64 = await ensureArtefact({ ...options, architecture: 'arm64' });
  const noarch = await ensureArtefact({ ...options, architecture: '' });
  assert.deepEqual([x64.digest, arm64.digest, noarch.digest], [ONE.digest, TWO.digest, ONE.digest]);
  assert.equal(new Set([x64, arm64, noarch].map(({ path }) => join(path, '..'))).size, 3);
  assert.deepEqual(
    registry.requests.filter(({ url }) => url.includes('tarball')).map(({ url }) => url.split('?')[1]),
    ['architecture=x64', 'architecture=arm64', 'architecture=noarch'],
  );
});

test('the architecture defaults to that of the process', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { [process.arch]: ONE, noarch: TWO });
  assert.equal((await ensureArtefact({ ...options, architecture: undefined })).digest, ONE.digest);
});

test('an empty architecture selects noarch only', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { x64: ONE });
  await assert.rejects(ensureArtefact({ ...options, architecture: '' }), {
    status: 404,
    code: 'slot_not_found',
    artefactId: ID,
  });
  registry.publish(ID, { arm64: ONE, constructor: TWO });
  await assert.rejects(ensureArtefact(options), { status: 404, code: 'slot_not_found' });
});

test('a file artefact is refused', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, {}, { format: 'file', tarballs: undefined, path: 'files/x' });
  await assert.rejects(ensureArtefact(options), { status: 400, code: 'wrong_format' });
});

test('a deleted artefact is an error, even if it is cached', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  await ensureArtefact(options);
  registry.remove(ID);
  await assert.rejects(ensureArtefact({ ...options, allowStale: true }), {
    status: 404,
    code: 'artefact_not_found',
    artefactId: ID,
  });
});

test('unusual, long and similar ids do not collide and stay inside the cache', async (t) => {
  const { registry, cacheDir, options } = await makeSetting(t);
  const ids = [
    'a',
    'a%2Fb',
    'a/b',
    'été',
    'x'.repeat(256),
    `${'x'.repeat(255)}y`,
    '日'.repeat(80),
    '...',
    'con trol',
    '.lock',
  ];
  const paths = new Set<string>();
  for (const artefactId of ids) {
    registry.publish(artefactId, { noarch: ONE });
    const { path } = await ensureArtefact({ ...options, artefactId });
    assert.ok(path.startsWith(`${cacheDir}/`));
    paths.add(path);
  }
  assert.equal(paths.size, ids.length);
  assert.equal((await readdir(cacheDir)).length, ids.length);
});

test('a damaged state or a missing directory is repaired', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const { path } = await ensureArtefact(options);
  const state = join(path, '..', '.state.json');
  for (const damaged of ['', '{', 'null', '{"current":{"name":"../../../etc"},"retired":{}}', '{"current":{}}']) {
    await writeFile(state, damaged);
    assert.equal((await ensureArtefact(options)).path, path);
    assert.equal(registry.countRequests('/tarball'), 1);
  }
  await rm(path, { recursive: true });
  assert.equal((await ensureArtefact(options)).downloaded, true);
  assert.equal(await readFile(join(path, 'index.js'), 'utf8'), 'export default 1');
});

test('an ETag is not sent to another registry', async (t) => {
  const { registry, options } = await makeSetting(t);
  const other = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  other.registry.publish(ID, { noarch: TWO });
  await ensureArtefact(options);
  const second = await ensureArtefact({ ...options, registryUrl: other.registry.url });
  assert.equal(second.digest, TWO.digest);
  assert.equal(other.registry.requests[0]?.headers['if-none-match'], undefined);
});

test('progress counts the download and ends at its size', async (t) => {
  const { registry, options } = await makeSetting(t);
  const large = packPackage('1.0.0', { 'data.bin': incompressible(3_000_000) });
  registry.publish(ID, { noarch: large });
  const reported: Progress[] = [];
  await ensureArtefact({
    ...options,
    onProgress: (progress) => {
      reported.push(progress);
    },
  });
  const downloads = reported.filter(({ phase }) => phase === 'download');
  assert.ok(downloads.length > 1);
  assert.ok(
    downloads.every(
      ({ bytesDone, bytesTotal }, index) =>
        bytesTotal === large.bytes.length && bytesDone > (downloads[index - 1]?.bytesDone ?? 0),
    ),
  );
  assert.equal(downloads.at(-1)?.bytesDone, large.bytes.length);
  assert.ok(reported.every(({ phase }) => phase === 'download' || phase === 'unpack'));
});

test('an error thrown by onProgress rejects the call and leaves the cache usable', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const failure = new Error('mine');
  await assert.rejects(
    ensureArtefact({
      ...options,
      onProgress: () => {
        throw failure;
      },
    }),
    failure,
  );
  const { path } = await ensureArtefact(options);
  assert.deepEqual(await entries(join(path, '..')), [ONE.digest.slice(7, 23)]);
});
