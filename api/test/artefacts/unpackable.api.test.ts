import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startOlderRegistry } from '../remotes/older-registries.ts';
import { addRemote, bytesOf, documentOf, resultOf } from '../remotes/pair.ts';
import { readProblem } from '../support/problems.ts';
import { multipartBody, MULTIPART_TYPE } from '../support/raw-http.ts';
import { rememberStored } from '../support/stored-state.ts';
import { buildTar, buildTarball, npmTarball, sealHeader, type TarballEntry } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { uploadArtefact } from './documents.ts';

const MANIFEST: TarballEntry = { path: 'package/package.json', content: '{"name":"@acme/plugin","version":"1.0.0"}' };
const file = (path: string): TarballEntry => ({ path: `package/${path}`, content: 'x' });
const link = (path: string, linkpath: string): TarballEntry => ({
  path: `package/${path}`,
  type: 'SymbolicLink',
  linkpath,
});
const chain = Array.from({ length: 41 }, (_, index) => link(`l${index}`, `l${index + 1}`));

/** What no consumer can unpack, or not everyone alike; with the name in the error. */
const UNPACKABLE: Record<string, [entries: TarballEntry[], named: string]> = {
  'a file and a folder': [[file('a'), file('a/b')], 'package/a'],
  'a folder and a file': [[file('a/b'), file('a')], 'package/a'],
  'a folder of its own and a file': [[{ path: 'package/a/' }, file('a')], 'package/a'],
  'a file below the manifest': [[file('package.json/x')], 'package/package.json'],
  'a name of 256 bytes': [[file('a'.repeat(256))], 'package/aaaa'],
  'a name of 86 Chinese characters': [[file('文'.repeat(86))], 'package/文文'],
  'a path of 1,025 characters': [[file(`${'文/'.repeat(508)}x`)], 'package/文/文'],
  'a link to itself': [[link('a', 'a')], 'package/a'],
  'links in a circle': [[link('a', 'b'), link('b', 'a')], 'package/a'],
  'links in a circle where case is ignored': [[link('a', 'B'), link('b', 'A')], 'package/a'],
  'a circle through a folder': [[link('d/a', '../e'), link('e', 'd/a/x')], 'package/d/a'],
  'a chain of 41 links': [chain, 'package/l0'],
  'a link that is a folder where case is ignored': [[link('a', 'b'), file('A/x')], 'package/a'],
  'a character that reorders text': [[file('a\u202egpj.exe')], 'package/a\\u{202e}gpj.exe'],
  'an invisible character': [[file('a\u200bb')], 'package/a\\u{200b}b'],
};

const tarballs = new Map(
  await Promise.all(
    Object.entries(UNPACKABLE).map(
      async ([why, [entries]]) => [why, await buildTarball([MANIFEST, ...entries])] as const,
    ),
  ),
);

/** Two names that are not UTF-8, and would be one. */
function latin1Names(): Buffer {
  const tar = buildTar([MANIFEST, file('caf?.txt'), file('caf!.txt')]);
  for (const [at, byte] of [
    [1024, 0xe9],
    [2048, 0xe8],
  ] as const) {
    tar[at + 'package/caf'.length] = byte;
    sealHeader(tar.subarray(at, at + 512));
  }
  return gzipSync(tar);
}

for (const dialect of DIALECTS) {
  describe(`what cannot be unpacked, on ${dialect}, is refused by name, and the previous build stays:`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadArtefact(server, 'present', { file: await npmTarball() });
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    async function assertRefused(tarball: Buffer, named: string): Promise<void> {
      const { detail = '' } = await readProblem(
        await server.upload('present', { file: tarball }),
        400,
        'tarball_unsafe_entry',
      );
      assert.ok(detail.startsWith(`"${named}`), detail);
      await assertUntouched();
    }

    for (const [why, [, named]] of Object.entries(UNPACKABLE))
      test(why, () => assertRefused(tarballs.get(why)!, named));

    test('names that are not UTF-8', () => assertRefused(latin1Names(), 'package/caf\ufffd.txt'));

    test('a part of the form that is encoded', async () => {
      const form = multipartBody([
        {
          headers: ['content-disposition: form-data; name="file"; filename="a"', 'content-transfer-encoding: base64'],
          body: (await npmTarball()).toString('base64'),
        },
      ]);
      const response = await fetch(`${server.url}/api/v1/artefacts/npm/present`, {
        method: 'POST',
        headers: { ...server.internal, 'content-type': MULTIPART_TYPE },
        body: form,
      });
      const { errors } = await readProblem(response, 400, 'multipart_invalid');
      assert.deepEqual(
        errors?.map(({ path }) => path),
        ['/file'],
      );
      await assertUntouched();
    });

    test('what is at the limits is accepted', async () => {
      const entries = [
        file('a'.repeat(255)),
        file('文'.repeat(85)),
        file(`${'d/'.repeat(507)}x`),
        ...chain.slice(1),
        file('👨‍👩‍👧.svg'),
      ];
      const tarball = Buffer.concat([await buildTarball([MANIFEST, ...entries]), Buffer.alloc(5000)]);
      await uploadArtefact(server, 'at the limits', { file: tarball });
    });
  });
}

test('a mirror of what cannot be unpacked fails alone, and keeps its previous build', async () => {
  const older = await startOlderRegistry('slots', 'reg_key');
  const mirror = await startTestServer();
  try {
    const remote = await addRemote(mirror, older.url, 'reg_key');
    const good = await npmTarball();
    for (const id of ['bad', 'good']) older.put(id, good);
    await remote.select('bad', 'good');
    older.put('bad', tarballs.get('a file and a folder')!);
    older.put('good', await npmTarball({ version: '2.0.0' }));
    const view = await remote.sync();
    assert.equal(resultOf(view, 'good').status, 'updated');
    const { status, reason = '' } = resultOf(view, 'bad');
    assert.deepEqual([status, reason.includes('"package/a"')], ['failed', true], reason);
    assert.deepEqual(await bytesOf(mirror, 'bad'), good);
    assert.equal((await documentOf(mirror, 'good'))?.['version'], '1.0.0');
  } finally {
    await Promise.all([mirror.close(), older.close()]);
  }
});
