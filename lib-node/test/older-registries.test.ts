import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import { corrupting, cutting, onRequests } from './support/misbehaviours.ts';
import { ID, makeSetting } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const ONE = packPackage('1.0.0', { 'index.js': 'export default 1', 'data.bin': incompressible(300_000) });
const TWO = packPackage('1.1.0', { 'index.js': 'export default 2' });

for (const age of ['tarballs', 'single'] as const) {
  const kind = age === 'tarballs' ? 'slots without digests' : 'a single tarball at the root';

  test(`${kind}: dataUpdatedAt is the key, the digest is computed`, async (t) => {
    const { registry, options } = await makeSetting(t, { age });
    registry.publish(ID, { noarch: ONE }, { version: '1.0.0' });
    const first = await ensureArtefact(options);
    assert.deepEqual([first.digest, first.version, first.downloaded], [ONE.digest, '1.0.0', true]);
    assert.equal(await readFile(join(first.path, 'index.js'), 'utf8'), 'export default 1');
    registry.requests.length = 0;
    assert.deepEqual(await ensureArtefact(options), { ...first, downloaded: false });
    assert.equal(registry.requests.length, 1);

    registry.publish(ID, { noarch: TWO }, { version: '1.1.0' });
    const second = await ensureArtefact(options);
    assert.deepEqual([second.digest, second.downloaded], [TWO.digest, true]);
    assert.equal(await readFile(join(first.path, 'index.js'), 'utf8'), 'export default 1');
  });

  test(`${kind}: an incomplete body is downloaded from the start`, async (t) => {
    const { registry, options } = await makeSetting(t, { age });
    registry.publish(ID, { noarch: ONE });
    const suffix = age === 'single' ? '/download' : '/tarball';
    registry.misbehave(onRequests(suffix, 1, cutting(100_000)));
    assert.equal((await ensureArtefact(options)).digest, ONE.digest);
    assert.equal(registry.countRequests(suffix), 2);
    assert.ok(registry.requests.every(({ headers }) => headers.range === undefined));
  });

  test(`${kind}: an upload between the two requests is noticed`, async (t) => {
    const { registry, options } = await makeSetting(t, { age });
    registry.publish(ID, { noarch: ONE }, { version: '1.0.0' });
    registry.misbehave(
      onRequests(age === 'single' ? '/download' : '/tarball', 1, () => {
        registry.publish(ID, { noarch: TWO }, { version: '1.1.0' });
        return false;
      }),
    );
    const result = await ensureArtefact(options);
    assert.deepEqual([result.digest, result.version], [TWO.digest, '1.1.0']);
  });

  test(`${kind}: damaged bytes are refused`, async (t) => {
    const { registry, options } = await makeSetting(t, { age });
    registry.publish(ID, { noarch: ONE });
    registry.misbehave(
      onRequests('', Infinity, (request, response) =>
        request.url?.includes('load') || request.url?.includes('tarball')
          ? corrupting((body) => body.fill(0, 1000))(request, response)
          : false,
      ),
    );
    await assert.rejects(ensureArtefact(options), { name: 'ArchiveError', code: 'archive_damaged' });
  });
}

test('the single tarball is requested without an architecture', async (t) => {
  const { registry, options } = await makeSetting(t, { age: 'single' });
  registry.publish(ID, { noarch: ONE });
  await ensureArtefact(options);
  assert.equal(registry.requests[1]?.url, `/api/v1/artefacts/${encodeURIComponent(ID)}/download`);
});

test('a document with neither digest nor dates is refused', async (t) => {
  const { registry, options } = await makeSetting(t, { age: 'single' });
  registry.publish(ID, { noarch: ONE }, { dataUpdatedAt: undefined, updatedAt: undefined });
  await assert.rejects(ensureArtefact(options), { code: 'bad_answer', artefactId: ID });
});
