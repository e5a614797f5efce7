import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildTar, sealHeader, type TarballEntry } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes, scanEntries } from './scan-bytes.ts';

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
const file = (path: string): TarballEntry => ({ path: `package/${path}`, content: 'content' });

async function assertRejected(...entries: TarballEntry[]): Promise<void> {
  const description = entries.map(({ path, linkpath }) => `${path} -> ${linkpath ?? ''}`).join(', ');
  await assert.rejects(scanEntries(...entries), { code: 'tarball_unsafe_entry', status: 400 }, description);
}

async function assertAccepted(...entries: TarballEntry[]): Promise<void> {
  assert.equal((await scanEntries(...entries)).files.length, entries.length + 1);
}

test('names outside package/ are rejected', async () => {
  for (const path of [
    '../evil',
    'package/../evil',
    'package/a/../../evil',
    'package/a/../b',
    'package/..',
    '/etc/passwd',
    '/package/a',
    '//package/a',
    'other/a',
    'a',
    'packages/a',
    'Package/a',
    'C:/a',
    './other/a',
    './../a',
    'package',
    '..',
    '.',
    'package/.',
  ])
    await assertRejected({ path, type: 'File' });
  await assertRejected({ path: '../evil/' });
  await assertRejected({ path: 'other/' });
});

test('names with backslashes, NUL or control characters, and names that are too long are rejected', async () => {
  for (const path of ['package\\a', 'package/..\\..\\evil', 'package/a\nb', 'package/a\u007f', 'package/\u0085'])
    await assertRejected({ path });
  await assertRejected({ path: 'package/a', pax: { path: 'package/a\0/../../evil' } });
  await assertRejected({ path: 'package/a', pax: { path: '' } });
  await assertRejected(
    { path: 'x', type: 'NextFileHasLongPath', content: 'package/a\0/../../evil\0' },
    { path: 'package/a' },
  );
  await assertRejected({ path: `package/${'d/'.repeat(600)}a` });
});

test('unsafe names in extended headers and in the prefix field are rejected', async () => {
  await assertRejected({ path: 'package/a', pax: { path: '../evil' } });
  await assertRejected({ path: 'x', type: 'NextFileHasLongPath', content: '../evil\0' }, { path: 'package/a' });
  const tar = buildTar([MANIFEST, { path: 'package/a' }]);
  tar.write('../evil', 1024 + 345);
  sealHeader(tar.subarray(1024, 1536));
  await assert.rejects(scanBytes(gzipSync(tar)), { code: 'tarball_unsafe_entry' });
});

test('harmless spellings of names below package/ are normalised', async () => {
  const { files } = await scanEntries(
    { path: './package/a' },
    { path: 'package//b' },
    { path: 'package/./c/./d' },
    { path: 'package/..e' },
    { path: 'package/f..' },
    { path: './' },
    { path: 'package/' },
  );
  assert.deepEqual(
    files.map(({ path }) => path),
    ['package.json', 'a', 'b', 'c/d', '..e', 'f..'],
  );
});

test('anything but files, directories and links is rejected', async () => {
  for (const type of [
    'CharacterDevice',
    'BlockDevice',
    'FIFO',
    'GNUDumpDir',
    'SparseFile',
    'ContinuationFile',
    'TapeVolumeHeader',
    'OldGnuLongPath',
    'SolarisACL',
    'Inode',
  ] as const) {
    await assertRejected({ path: 'package/odd', type });
  }
  await assertRejected({ path: 'package/odd', typeflag: 'Z' });
});

test('links out of package/ are rejected', async () => {
  for (const target of [
    '/etc/passwd',
    '/',
    '..',
    '../',
    '../evil',
    '../package/a',
    './../evil',
    'a/../../evil',
    'a\\..\\evil',
    'a\nb',
  ]) {
    await assertRejected(symlink('link', target));
  }
  await assertRejected(symlink('a/b/link', '../../../evil'));
  for (const target of [
    '/package/package.json',
    '../evil',
    'package/../evil',
    'other/a',
    'package.json',
    'package\\package.json',
  ]) {
    await assertRejected(hardLink('link', target));
  }
  await assertRejected({ path: 'package/link', type: 'SymbolicLink', linkpath: 'a', pax: { linkpath: '../evil' } });
  await assertRejected({ path: 'x', type: 'NextFileHasLongLinkpath', content: '../evil\0' }, symlink('link', 'a'));
});

test('links within package/ are accepted', async () => {
  await assertAccepted(
    file('lib/a'),
    symlink('b', 'lib/a'),
    symlink('lib/c', '../b'),
    symlink('lib/up', '..'),
    symlink('self', '.'),
    symlink('nowhere', 'lib/none'),
    hardLink('d', 'package/lib/a'),
    hardLink('e', './package/lib/a'),
  );
  await assertAccepted(
    { path: 'package/node_modules/dep/' },
    file('node_modules/dep/cli.js'),
    symlink('node_modules/.bin/dep', '../dep/cli.js'),
    symlink('node_modules/alias', 'dep'),
    symlink('node_modules/.bin/alias', '../alias/cli.js'),
  );
});

test('a chain of links that leads outside is rejected, even if the text of each link stays inside', async () => {
  await assertRejected(symlink('deep/down/top', '../..'), symlink('deep/down/out', 'top/../evil'));
  await assertRejected(symlink('deep/down/out', 'top/../evil'), symlink('deep/down/top', '../..'));
  await assertRejected(symlink('deep/down/out', 'top/..'), symlink('deep/down/top', '../..'));
});

test('an entry below a symbolic link of the archive is rejected, in either order', async () => {
  const link = symlink('dir', 'elsewhere');
  for (const entry of [
    file('dir/a'),
    file('dir/deep/down/a'),
    { path: 'package/dir/sub/' },
    symlink('dir/link', 'a'),
  ]) {
    await assertRejected(link, entry);
    await assertRejected(entry, link);
    await assertRejected(file('z'), entry, file('y'), link, file('x'));
  }
  await assertAccepted(link, file('directory/a'), file('dir-2/a'), file('dir.js'));
});

test('an entry that would be written through a link is rejected', async () => {
  await assertRejected(hardLink('b', 'package/package.json'), file('b'));
  await assertRejected(file('b'), symlink('b', 'package.json'));
  await assertRejected(symlink('b', 'c'), { path: 'package/b/' });
  await assertRejected(symlink('b', 'c'), symlink('b', 'd'));
});

test('a hard link to anything but an earlier file is rejected', async () => {
  await assertRejected(hardLink('b', 'package/a'));
  await assertRejected(hardLink('b', 'package/a'), file('a'));
  await assertRejected(hardLink('b', 'package/b'));
  await assertRejected({ path: 'package/dir/' }, hardLink('b', 'package/dir'));
  await assertRejected(symlink('deep/s', '../package.json'), hardLink('b', 'package/deep/s'));
});

test('an entry with properties of both a link and a file is rejected', async () => {
  await assertRejected({ path: 'package/a', linkpath: 'b' });
  await assertRejected({ path: 'package/a', pax: { linkpath: 'b' } });
  await assertRejected({ path: 'package/a', type: 'SymbolicLink' });
  await assertRejected({ path: 'package/a', type: 'Link' });
  await assertRejected({ path: 'package/a', type: 'Link', linkpath: 'package/package.json', content: 'smuggled' });
  await assertRejected({ path: 'package/a', type: 'SymbolicLink', linkpath: 'package.json', content: 'smuggled' });
});

test('the error names the entry, shortened and without control characters', async () => {
  await assert.rejects(
    scanEntries({ path: 'package/\u001b[2J\u202e' }),
    ({ message }: Error) =>
      message.startsWith('"package/\\u{1b}[2J\\u{202e}" ') && /must begin with package\//.test(message),
  );
  await assert.rejects(
    scanEntries({ path: `other/${'x'.repeat(5000)}` }),
    ({ message }: Error) => message.includes('xxx…"') && message.length < 400,
  );
});
