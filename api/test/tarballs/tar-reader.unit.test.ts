import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { create, Parser } from 'tar';
import { buildTar, encodePaxRecords, sealHeader, type TarballEntry } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes, scanEntries } from './scan-bytes.ts';

const BLOCK_BYTES = 512;

async function scanTar(tar: Buffer): Promise<string[]> {
  return (await scanBytes(gzipSync(tar))).files.map((file) => file.path);
}

/** Scans an archive whose second header, at byte 1,024, is changed. */
async function scanWithHeader(
  change: (header: Buffer) => void,
  entry: TarballEntry = { path: 'package/a.txt' },
): Promise<string[]> {
  const tar = buildTar([MANIFEST, entry]);
  const header = tar.subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES);
  change(header);
  sealHeader(header);
  return scanTar(tar);
}

test('an archive from files on disk is read, links and long names included', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-tar-'));
  t.after(() => rm(directory, { recursive: true }));
  const longName = `${'très-long-'.repeat(12)}.txt`;
  await mkdir(join(directory, 'package/lib'), { recursive: true });
  await writeFile(join(directory, 'package/package.json'), MANIFEST.content ?? '');
  await writeFile(join(directory, 'package/lib', longName), 'content');
  await link(join(directory, 'package/lib', longName), join(directory, 'package/lib/zz-same.txt'));
  await symlink('lib/zz-same.txt', join(directory, 'package/zz-link'));
  // Synchronous: in streaming mode, node-tar 7.5 fails on hard links (isaacs/node-tar#460).
  const tar = create({ cwd: directory, portable: true, sync: true }, ['./package']).read();
  const { files } = await scanBytes(gzipSync(tar ?? ''));
  assert.deepEqual(
    new Map(files.map(({ path, type, target }) => [path, { type, target }])),
    new Map([
      ['package.json', { type: 'file', target: undefined }],
      ['lib', { type: 'directory', target: undefined }],
      [`lib/${longName}`, { type: 'file', target: undefined }],
      ['lib/zz-same.txt', { type: 'link', target: `lib/${longName}` }],
      ['zz-link', { type: 'symlink', target: 'lib/zz-same.txt' }],
    ]),
  );
});

test('names and sizes equal those of node-tar', async () => {
  const tar = buildTar([
    MANIFEST,
    { path: `package/${'n'.repeat(200)}`, content: 'long name' },
    { path: `package/${'d'.repeat(91)}/cut-after-the-slash`, content: 'no directory' },
    {
      path: 'package/short',
      pax: { path: 'package/from-pax', size: '5', mtime: '1.5', comment: 'x=y' },
      content: '12345',
    },
    { path: 'x', type: 'NextFileHasLongPath', content: `package/${'g'.repeat(250)}/${'g'.repeat(50)}\0` },
    { path: 'package/cut', content: 'gnu' },
    { path: 'x', type: 'NextFileHasLongLinkpath', content: 'package/from-pax\0' },
    { path: 'package/hard', type: 'Link', linkpath: 'package/cut' },
    { path: 'package/contiguous', type: 'ContiguousFile', content: 'c' },
    { path: 'package/old-directory/', type: 'File' },
    { path: 'package/old', type: 'OldFile', content: 'v7' },
    { path: 'pax_global_header', type: 'GlobalExtendedHeader', content: encodePaxRecords({ comment: 'a commit' }) },
    { path: 'package/last', content: 'last' },
  ]);
  const unpacked: { name: string; sizeBytes: number }[] = [];
  const parser = new Parser({
    onReadEntry: (entry) => {
      unpacked.push({ name: entry.path.replace(/\/$/, ''), sizeBytes: entry.size });
      entry.resume();
    },
  });
  parser.end(tar);
  const { files } = await scanBytes(gzipSync(tar));
  assert.equal(files.length, 10);
  assert.deepEqual(
    files.map(({ path, sizeBytes }) => ({ name: `package/${path}`, sizeBytes })),
    unpacked,
  );
});

test('a name split between the prefix and the name field is joined', async () => {
  assert.deepEqual(
    await scanWithHeader(
      (header) => {
        header.write('package/deep/down', 345);
      },
      { path: 'a.txt' },
    ),
    ['package.json', 'deep/down/a.txt'],
  );
});

test('a prefix that some tar programs ignore is rejected', async () => {
  await assert.rejects(
    scanWithHeader((header) => {
      header.write('../evil', 345);
      header.write('\0\0', 263);
    }),
    { code: 'tarball_not_tar' },
  );
});

test('an archive that ends after an entry is complete without end-of-archive blocks', async () => {
  const entries = [MANIFEST, { path: 'package/a.txt', content: 'a' }];
  const bare = buildTar(entries, { endBlocks: false });
  for (const blocks of [0, 1, 2, 20]) {
    assert.deepEqual(await scanTar(Buffer.concat([bare, Buffer.alloc(blocks * BLOCK_BYTES)])), [
      'package.json',
      'a.txt',
    ]);
  }
});

test('an archive that is cut within an entry is rejected as truncated', async () => {
  const tar = buildTar([MANIFEST, { path: 'package/a.txt', content: 'x'.repeat(700) }], { endBlocks: false });
  const entryBoundaries = [2 * BLOCK_BYTES, tar.length];
  for (let cut = BLOCK_BYTES; cut < tar.length; cut += 61) {
    if (entryBoundaries.includes(cut)) continue;
    await assert.rejects(scanTar(tar.subarray(0, cut)), { code: 'tarball_truncated' }, `cut at ${cut}`);
  }
  await assert.rejects(scanTar(tar.subarray(0, -1)), { code: 'tarball_truncated' });
});

test('an archive that ends after an extended header is rejected as truncated', async () => {
  const extendedHeader: TarballEntry = {
    path: 'PaxHeader',
    type: 'ExtendedHeader',
    content: encodePaxRecords({ path: 'package/a' }),
  };
  for (const endBlocks of [true, false])
    await assert.rejects(scanTar(buildTar([MANIFEST, extendedHeader], { endBlocks })), { code: 'tarball_truncated' });
});

test('anything but tar is rejected', async () => {
  const tar = buildTar([MANIFEST]);
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.alloc(5000, 'no tar '),
    gzipSync(tar),
    zstdCompressSync(tar),
    tar.subarray(0, 100),
  ]) {
    await assert.rejects(scanTar(bytes), { code: 'tarball_not_tar', status: 400 });
  }
});

test('data after the end of the archive is rejected, even a second archive', async () => {
  const tar = buildTar([MANIFEST]);
  for (const trailer of [
    buildTar([{ path: 'package/b' }]),
    Buffer.from('x'),
    Buffer.concat([Buffer.alloc(70_000), Buffer.from('x')]),
  ]) {
    await assert.rejects(scanTar(Buffer.concat([tar, trailer])), { code: 'tarball_not_tar' });
  }
  const loneZeroBlock = Buffer.concat([
    buildTar([MANIFEST], { endBlocks: false }),
    Buffer.alloc(BLOCK_BYTES),
    buildTar([{ path: 'package/b' }]),
  ]);
  await assert.rejects(scanTar(loneZeroBlock), { code: 'tarball_not_tar' });
});

test('an entry with a damaged header is rejected, not skipped', async () => {
  const tar = buildTar([MANIFEST, { path: 'package/a.txt' }, { path: 'package/b.txt' }]);
  tar.write('X', 2 * BLOCK_BYTES + 3);
  await assert.rejects(scanTar(tar), { code: 'tarball_not_tar' });
});

test('a size that is not a number, negative or beyond 2^53 is rejected', async () => {
  for (const size of [
    Buffer.from('not a number'),
    Buffer.alloc(12, 0xff),
    Buffer.from([0x80, ...Array<number>(11).fill(0x7f)]),
  ]) {
    await assert.rejects(
      scanWithHeader((header) => {
        size.copy(header, 124);
      }),
      { code: 'tarball_not_tar' },
    );
  }
});

test('a malformed extended header is rejected', async () => {
  const malformed = [
    'no records',
    '12 path=package/a\n',
    '999 path=x\n',
    '-5 path=x\n',
    '9 path:x\n',
    '0 path=x\n',
    '9 path=xy',
    '11 size=-1\n',
    '11 size=1x\n',
    ' path=x\n',
  ];
  for (const content of malformed) {
    await assert.rejects(
      scanEntries({ path: 'PaxHeader', type: 'ExtendedHeader', content }, { path: 'package/a' }),
      { code: 'tarball_not_tar' },
      content,
    );
  }
});

test('an extended header over 1 MiB is rejected, not skipped', async () => {
  const names = encodePaxRecords({ comment: 'x'.repeat(1024 * 1024), path: 'package/../../evil' });
  await assert.rejects(
    scanEntries({ path: 'PaxHeader', type: 'ExtendedHeader', content: names }, { path: 'package/a' }),
    { code: 'tarball_not_tar' },
  );
});

test('conflicting names, which tar programs resolve differently, are rejected', async () => {
  const cases: TarballEntry[][] = [
    [{ path: 'package/a', pax: { 'GNU.sparse.name': '../evil' } }],
    [
      { path: 'g', type: 'GlobalExtendedHeader', content: encodePaxRecords({ path: 'package/b' }) },
      { path: 'package/a' },
    ],
    [{ path: 'g', type: 'GlobalExtendedHeader', content: encodePaxRecords({ size: '512' }) }, { path: 'package/a' }],
    [
      { path: 'x', type: 'NextFileHasLongPath', content: 'package/b\0' },
      { path: 'package/a', pax: { path: 'package/c' } },
    ],
  ];
  for (const entries of cases) await assert.rejects(scanEntries(...entries), { code: 'tarball_unsafe_entry' });
});

test('the same name in two places is accepted', async () => {
  const { files } = await scanEntries(
    { path: 'x', type: 'NextFileHasLongPath', content: 'package/b\0' },
    { path: 'package/a', pax: { path: 'package/b' } },
  );
  assert.deepEqual(
    files.map((file) => file.path),
    ['package.json', 'b'],
  );
});
