import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ensureArtefact, extractTarball, getArtefact, listArtefacts, publishArtefact } from '../dist/index.js';
import { makeDirectory, makeRegistry, makeSetting } from './support/setting.ts';
import { packPackage, packTarball } from './support/tarballs.ts';
import type { TarEntry } from './support/tarballs.ts';

const ID = '@acme/sample@1';
const MIB = 1024 * 1024;

for (const status of [200, 201, 404, 500]) {
  test(`an endless response with status ${status} is not read to its end`, async (t) => {
    const registry = await makeRegistry(t);
    let sentBytes = 0;
    let isClosed: Promise<unknown> | undefined;
    registry.misbehave((request, response) => {
      request.resume();
      response.writeHead(status, { 'content-type': 'application/json' });
      response.write('{"_id":"');
      const chunk = 'x'.repeat(MIB);
      const more = (): void => {
        if (response.destroyed) return;
        sentBytes += MIB;
        response.write(chunk, more);
      };
      isClosed = new Promise((resolve) => {
        response.once('close', resolve);
      });
      more();
      return true;
    });
    const options = { registryUrl: registry.url, artefactId: ID, retries: 0, apiKey: 'reg_1' };
    const expected = { name: 'RegistryError', status, code: status < 400 ? 'bad_answer' : `http_${status}` };
    if (status === 201)
      await assert.rejects(publishArtefact({ ...options, file: Readable.from([Buffer.from('x')]) }), expected);
    else await assert.rejects(getArtefact(options), expected);
    await isClosed;
    assert.ok(sentBytes < 64 * MIB, `${sentBytes / MIB} MiB`);
  });
}

test('a page of a list may be larger than a document', async (t) => {
  const registry = await makeRegistry(t);
  const schema = 'x'.repeat(2 * MIB);
  for (let index = 0; index < 10; index += 1)
    registry.publish(`a${index}`, { noarch: packPackage('1.0.0') }, { processingConfigSchema: schema });
  const { results } = await listArtefacts({ registryUrl: registry.url, size: 1000 });
  assert.equal(results.length, 10);
});

test('an archive is unpacked up to the limits, and not beyond', async (t) => {
  const tarball = packPackage('1.0.0', { 'zeros.bin': Buffer.alloc(3 * MIB), 'a.js': 'a' });
  const archiveBytes = gunzipSync(tarball.bytes).length;
  const extract = async (limits?: { maxUnpackedBytes?: number; maxEntries?: number }): Promise<string[]> => {
    const directory = await makeDirectory(t);
    await extractTarball(Readable.from([tarball.bytes]), directory, limits);
    return (await readdir(directory)).sort();
  };
  const all = ['a.js', 'package.json', 'zeros.bin'];
  assert.deepEqual(await extract(), all);
  assert.deepEqual(await extract({ maxUnpackedBytes: archiveBytes, maxEntries: 3 }), all);
  const tooLarge = { name: 'ArchiveError', code: 'archive_too_large' };
  await assert.rejects(extract({ maxUnpackedBytes: archiveBytes - 1 }), { ...tooLarge, message: /maxUnpackedBytes/ });
  await assert.rejects(extract({ maxEntries: 2 }), { ...tooLarge, message: /maxEntries/ });
  for (const limits of [{ maxUnpackedBytes: 0 }, { maxEntries: 1.5 }, { maxFiles: 1 }])
    await assert.rejects(extract(limits), TypeError);
});

test('a package over the limits is not in the cache, and is unpacked once they are raised', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: packPackage('1.0.0', { 'zeros.bin': Buffer.alloc(2 * MIB) }) });
  const tooLarge = { name: 'ArchiveError', code: 'archive_too_large' };
  await assert.rejects(ensureArtefact({ ...options, maxUnpackedBytes: MIB }), tooLarge);
  await assert.rejects(ensureArtefact({ ...options, maxEntries: 1 }), tooLarge);
  const { path } = await ensureArtefact(options);
  assert.deepEqual((await readdir(path)).sort(), ['package.json', 'zeros.bin']);
});

test('a link may not lead outside by way of one that some file systems take for another', async (t) => {
  const link = (path: string, linkpath: string): TarEntry => ({ path: `package/${path}`, type: 'symlink', linkpath });
  const extract = async (links: TarEntry[]): Promise<void> => {
    const manifest = { path: 'package/package.json', content: '{}' };
    await extractTarball(Readable.from([packTarball([manifest, ...links]).bytes]), await makeDirectory(t));
  };
  const spellings: [string, string][] = [
    ['d/e/up', 'd/e/up'],
    ['d/e/up', 'D/E/UP'],
    ['d/e/UP', 'd/e/up'],
    ['d/e/été', 'd/e/e\u0301te\u0301'],
    ['d/e/e\u0301te\u0301', 'd/e/été'],
    ['d/e/Été', 'd/e/e\u0301te\u0301'],
    ['d/e/straße', 'd/e/STRASSE'],
    ['d/e/\u212a', 'd/e/k'],
    ['d/e/up', 'd/E/./up'],
  ];
  for (const [path, way] of spellings) {
    const up = link(path, '../..');
    const out = link('out', `${way}/../x`);
    for (const links of [
      [up, out],
      [out, up],
    ])
      await assert.rejects(extract(links), { code: 'archive_unsafe' }, `${path} by way of ${way}`);
    // Without the last step, it stays inside, however the names are compared.
    await extract([up, link('in', `${way}/x`)]);
  }
  await extract([link('bin/JSONStream', '../a.js'), link('bin/jsonstream', '../b.js'), link('README', 'readme.md')]);
});

test('names are unpacked as they are, whatever they are compared with', async (t) => {
  const directory = await makeDirectory(t);
  const { bytes } = packTarball([
    { path: 'package/A/Été.js', content: '1' },
    { path: 'package/l', type: 'symlink', linkpath: 'A/Été.js' },
  ]);
  await extractTarball(Readable.from([bytes]), directory);
  assert.deepEqual(await readdir(join(directory, 'A')), ['Été.js']);
});
