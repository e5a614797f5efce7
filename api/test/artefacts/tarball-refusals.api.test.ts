import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readProblem } from '../support/problems.ts';
import { rememberStored } from '../support/stored-state.ts';
import { buildTar, buildTarball, npmTarball, type TarballEntry } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { uploadArtefact } from './documents.ts';

const MIB = 1024 * 1024;
const LIMITS = { MAX_UPLOAD_BYTES: String(2 * MIB), MAX_UNPACKED_BYTES: String(8 * MIB), MAX_TAR_ENTRIES: '50' };

const MANIFEST: TarballEntry = { path: 'package/package.json', content: '{"name":"@acme/plugin","version":"1.0.0"}' };
const manifest = (content: string | object): Promise<Buffer> =>
  buildTarball([
    { path: 'package/package.json', content: typeof content === 'string' ? content : JSON.stringify(content) },
  ]);
const plugin = (fields: object) => manifest({ name: '@acme/plugin', version: '1.0.0', ...fields });
const withEntries = (...entries: TarballEntry[]) => buildTarball([MANIFEST, ...entries]);
const symlink = (path: string, linkpath: string): TarballEntry => ({
  path: `package/${path}`,
  type: 'SymbolicLink',
  linkpath,
});
const hardLink = (path: string, linkpath: string): TarballEntry => ({
  path: `package/${path}`,
  type: 'Link',
  linkpath,
});
const whole = await npmTarball({ files: { 'index.js': randomBytes(200_000) } });

/** [reason, file, status, code] */
const REFUSALS: [why: string, file: Uint8Array, status: number, code: string][] = [
  ['an empty file', new Uint8Array(), 400, 'tarball_not_gzip'],
  ['text', Buffer.from('no tarball at all'), 400, 'tarball_not_gzip'],
  ['a zip file', Buffer.from('PK\u0003\u0004rest of a zip file'), 400, 'tarball_not_gzip'],
  ['a tar that is not compressed', buildTar([MANIFEST]), 400, 'tarball_not_gzip'],
  ['gzip of text', gzipSync('no tarball at all'), 400, 'tarball_not_tar'],
  ['gzip of random bytes', gzipSync(randomBytes(10_000)), 400, 'tarball_not_tar'],
  ['gzip of an empty file', gzipSync(''), 400, 'tarball_not_tar'],
  ['gzip followed by other data', Buffer.concat([whole, Buffer.from('more')]), 400, 'tarball_not_gzip'],
  ['gzip cut at its end', whole.subarray(0, whole.length - 10), 400, 'tarball_truncated'],
  ['gzip cut in the middle', whole.subarray(0, whole.length / 2), 400, 'tarball_truncated'],
  ['gzip cut in its header', whole.subarray(0, 5), 400, 'tarball_truncated'],
  ['gzip with a changed byte', withChangedByte(whole, whole.length / 2), 400, 'tarball_not_gzip'],
  [
    'a tar cut short',
    gzipSync(buildTar([MANIFEST, { path: 'package/a', content: 'x'.repeat(5000) }]).subarray(0, 3000)),
    400,
    'tarball_truncated',
  ],

  ['a file over MAX_UPLOAD_BYTES', await npmTarball({ files: { a: randomBytes(3 * MIB) } }), 413, 'upload_too_large'],
  [
    'a decompression bomb',
    await npmTarball({ files: { a: Buffer.alloc(9 * MIB) } }),
    413,
    'tarball_too_large_unpacked',
  ],
  [
    'a bomb that claims to be small',
    gzipSync(Buffer.concat([buildTar([MANIFEST], { endBlocks: false }), Buffer.alloc(64 * MIB)])),
    413,
    'tarball_too_large_unpacked',
  ],
  [
    'too many entries',
    await npmTarball({ files: Object.fromEntries(Array.from({ length: 50 }, (_value, index) => [`f${index}`, ''])) }),
    413,
    'tarball_too_many_entries',
  ],

  ['no manifest', await buildTarball([{ path: 'package/index.js', content: '' }]), 400, 'manifest_missing'],
  [
    'a manifest elsewhere',
    await buildTarball([{ path: 'package/lib/package.json', content: '{"name":"a","version":"1.0.0"}' }]),
    400,
    'manifest_missing',
  ],
  ['a second manifest', await withEntries(MANIFEST), 400, 'manifest_duplicate'],
  [
    'a second manifest with another spelling',
    await withEntries({ ...MANIFEST, path: './package//package.json' }),
    400,
    'manifest_duplicate',
  ],
  [
    'a manifest that is a link',
    await buildTarball([
      { path: 'package/x.json', content: '{"name":"a","version":"1.0.0"}' },
      symlink('package.json', 'x.json'),
    ]),
    400,
    'tarball_unsafe_entry',
  ],
  [
    'a manifest over 2 MiB',
    await manifest({ name: 'a', version: '1.0.0', filler: 'x'.repeat(2 * MIB) }),
    413,
    'manifest_too_large',
  ],
  ['a manifest that is not JSON', await manifest('{"name":'), 400, 'manifest_invalid'],
  ['a manifest that is an array', await manifest('[]'), 400, 'manifest_invalid'],
  [
    'a manifest that is not in UTF-8',
    await buildTarball([
      { path: 'package/package.json', content: Buffer.from('{"name":"\xff","version":"1.0.0"}', 'latin1') },
    ]),
    400,
    'manifest_invalid',
  ],
  ['a manifest without a name', await manifest({ version: '1.0.0' }), 400, 'manifest_invalid'],
  ['a manifest with an empty name', await manifest({ name: '', version: '1.0.0' }), 400, 'manifest_invalid'],
  ['a manifest whose name is a number', await manifest({ name: 7, version: '1.0.0' }), 400, 'manifest_invalid'],
  ['a manifest without a version', await manifest({ name: 'a' }), 400, 'manifest_invalid'],
  ['a version that is not semver', await plugin({ version: '1.0' }), 400, 'manifest_invalid'],
  ['a version with a v', await plugin({ version: 'v1.0.0' }), 400, 'manifest_invalid'],
  ['an unknown category in the manifest', await plugin({ registry: { category: 'plugin' } }), 400, 'category_invalid'],
  [
    'a category in the manifest that is a number',
    await plugin({ registry: { category: 7 } }),
    400,
    'manifest_invalid',
  ],
  [
    'a documentation URL of another scheme',
    await plugin({ registry: { documentation: 'javascript:alert(1)' } }),
    400,
    'manifest_invalid',
  ],
  [
    'a configuration schema that is not an object',
    await plugin({ registry: { processingConfigSchema: 'x' } }),
    400,
    'manifest_invalid',
  ],

  ['an entry with an absolute path', await withEntries({ path: '/opt/evil' }), 400, 'tarball_unsafe_entry'],
  ['an entry above the package', await withEntries({ path: 'package/../../evil' }), 400, 'tarball_unsafe_entry'],
  ['an entry beside the package', await withEntries({ path: 'other/file' }), 400, 'tarball_unsafe_entry'],
  [
    'an entry above the package in an extended header',
    await withEntries({ path: 'package/a', pax: { path: '../evil' } }),
    400,
    'tarball_unsafe_entry',
  ],
  ['an entry with a backslash', await withEntries({ path: 'package/..\\evil' }), 400, 'tarball_unsafe_entry'],
  ['a device', await withEntries({ path: 'package/null', type: 'CharacterDevice' }), 400, 'tarball_unsafe_entry'],
  ['a pipe', await withEntries({ path: 'package/pipe', type: 'FIFO' }), 400, 'tarball_unsafe_entry'],
  ['a symbolic link to an absolute path', await withEntries(symlink('a', '/opt/evil')), 400, 'tarball_unsafe_entry'],
  ['a symbolic link out of the package', await withEntries(symlink('a/b', '../../evil')), 400, 'tarball_unsafe_entry'],
  [
    'an entry below a symbolic link',
    await withEntries({ path: 'package/lib/' }, symlink('a', 'lib'), { path: 'package/a/file' }),
    400,
    'tarball_unsafe_entry',
  ],
  [
    'a chain of symbolic links',
    await withEntries({ path: 'package/d/' }, symlink('d/up', '..'), symlink('e', 'd/up/../..')),
    400,
    'tarball_unsafe_entry',
  ],
  [
    'a symbolic link below a symbolic link',
    await withEntries({ path: 'package/d/' }, symlink('a', 'd'), symlink('a/b', '..')),
    400,
    'tarball_unsafe_entry',
  ],
  ['a hard link out of the package', await withEntries(hardLink('a', '../evil')), 400, 'tarball_unsafe_entry'],
  [
    'a hard link to a symbolic link',
    await withEntries({ path: 'package/f', content: '' }, symlink('s', 'f'), hardLink('h', 'package/s')),
    400,
    'tarball_unsafe_entry',
  ],
];

for (const dialect of DIALECTS) {
  describe(`a tarball on ${dialect} is rejected, and nothing is stored, for`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;

    before(async () => {
      server = await startTestServer({ dialect, env: LIMITS });
      await uploadArtefact(server, 'present', { file: await npmTarball() });
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    for (const [why, file, status, code] of REFUSALS) {
      test(why, async () => {
        await readProblem(await server.upload('new', { file }), status, code);
        await readProblem(await server.upload('present', { file, fields: { architecture: 'x64' } }), status, code);
        await assertUntouched();
      });
    }

    test('exceeding a limit by one byte, not for reaching it', async () => {
      const entries = Array.from({ length: 49 }, (_value, index) => [`f${index}`, '']);
      assert.equal(
        (
          await server.upload('entries', {
            file: await npmTarball({ files: Object.fromEntries(entries) as Record<string, string> }),
          })
        ).status,
        201,
      );
      const bytes = randomBytes(2 * MIB);
      assert.equal((await server.upload('bytes', { format: 'file', file: bytes })).status, 201);
      await readProblem(
        await server.upload('bytes', { format: 'file', file: Buffer.concat([bytes, Buffer.alloc(1)]) }),
        413,
        'upload_too_large',
      );
      const tarBytes = 8 * MIB;
      const fill = (sizeBytes: number) =>
        gzipSync(buildTar([MANIFEST, { path: 'package/a', content: Buffer.alloc(sizeBytes - 5 * 512) }]));
      assert.equal((await server.upload('unpacked', { file: fill(tarBytes) })).status, 201);
      await readProblem(
        await server.upload('unpacked', { file: fill(tarBytes + 512) }),
        413,
        'tarball_too_large_unpacked',
      );
    });
  });
}

function withChangedByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[Math.floor(at)]! ^= 0xff;
  return copy;
}
