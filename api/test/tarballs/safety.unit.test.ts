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

async function assertRefused(...entries: TarballEntry[]): Promise<void> {
  const shown = entries.map(({ path, linkpath }) => `${path} -> ${linkpath ?? ''}`).join(', ');
  await assert.rejects(scanEntries(...entries), { code: 'tarball_unsafe_entry', status: 400 }, shown);
}

async function assertAccepted(...entries: TarballEntry[]): Promise<void> {
  assert.equal((await scanEntries(...entries)).files.length, entries.length + 1);
}

test('names that land outside package/ are refused', async () => {
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
    await assertRefused({ path, type: 'File' });
  await assertRefused({ path: '../evil/' });
  await assertRefused({ path: 'other/' });
});

test('names with backslashes, zero or control characters, or without end are refused', async () => {
  for (const path of ['package\\a', 'package/..\\..\\evil', 'package/a\nb', 'package/a\u007f', 'package/\u0085'])
    await assertRefused({ path });
  await assertRefused({ path: 'package/a', pax: { path: 'package/a\0/../../evil' } });
  await assertRefused({ path: 'package/a', pax: { path: '' } });
  await assertRefused(
    { path: 'x', type: 'NextFileHasLongPath', content: 'package/a\0/../../evil\0' },
    { path: 'package/a' },
  );
  await assertRefused({ path: `package/${'d/'.repeat(600)}a` });
});

test('evil names are found in extended headers and behind the prefix field too', async () => {
  await assertRefused({ path: 'package/a', pax: { path: '../evil' } });
  await assertRefused({ path: 'x', type: 'NextFileHasLongPath', content: '../evil\0' }, { path: 'package/a' });
  const tar = buildTar([MANIFEST, { path: 'package/a' }]);
  tar.write('../evil', 1024 + 345);
  sealHeader(tar.subarray(1024, 1536));
  await assert.rejects(scanBytes(gzipSync(tar)), { code: 'tarball_unsafe_entry' });
});

test('harmless spellings of names below package/ are read as what they mean', async () => {
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

test('whatever is neither file, directory nor link is refused', async () => {
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
    await assertRefused({ path: 'package/odd', type });
  }
  await assertRefused({ path: 'package/odd', typeflag: 'Z' });
});

test('links that leave package/ are refused', async () => {
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
    await assertRefused(symlink('link', target));
  }
  await assertRefused(symlink('a/b/link', '../../../evil'));
  for (const target of [
    '/package/package.json',
    '../evil',
    'package/../evil',
    'other/a',
    'package.json',
    'package\\package.json',
  ]) {
    await assertRefused(hardLink('link', target));
  }
  await assertRefused({ path: 'package/link', type: 'SymbolicLink', linkpath: 'a', pax: { linkpath: '../evil' } });
  await assertRefused({ path: 'x', type: 'NextFileHasLongLinkpath', content: '../evil\0' }, symlink('link', 'a'));
});

test('links that stay in package/ are accepted', async () => {
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

test('a chain of links whose text stays inside but which leads outside is refused', async () => {
  await assertRefused(symlink('deep/down/top', '../..'), symlink('deep/down/out', 'top/../evil'));
  await assertRefused(symlink('deep/down/out', 'top/../evil'), symlink('deep/down/top', '../..'));
  await assertRefused(symlink('deep/down/out', 'top/..'), symlink('deep/down/top', '../..'));
});

test('an entry below a symbolic link of the archive is refused, whichever comes first', async () => {
  const link = symlink('dir', 'elsewhere');
  for (const entry of [
    file('dir/a'),
    file('dir/deep/down/a'),
    { path: 'package/dir/sub/' },
    symlink('dir/link', 'a'),
  ]) {
    await assertRefused(link, entry);
    await assertRefused(entry, link);
    await assertRefused(file('z'), entry, file('y'), link, file('x'));
  }
  await assertAccepted(link, file('directory/a'), file('dir-2/a'), file('dir.js'));
});

test('an entry that is written through a link is refused', async () => {
  await assertRefused(hardLink('b', 'package/package.json'), file('b'));
  await assertRefused(file('b'), symlink('b', 'package.json'));
  await assertRefused(symlink('b', 'c'), { path: 'package/b/' });
  await assertRefused(symlink('b', 'c'), symlink('b', 'd'));
});

test('a hard link to anything but an earlier file is refused', async () => {
  await assertRefused(hardLink('b', 'package/a'));
  await assertRefused(hardLink('b', 'package/a'), file('a'));
  await assertRefused(hardLink('b', 'package/b'));
  await assertRefused({ path: 'package/dir/' }, hardLink('b', 'package/dir'));
  await assertRefused(symlink('deep/s', '../package.json'), hardLink('b', 'package/deep/s'));
});

test('half a link and half a file is refused', async () => {
  await assertRefused({ path: 'package/a', linkpath: 'b' });
  await assertRefused({ path: 'package/a', pax: { linkpath: 'b' } });
  await assertRefused({ path: 'package/a', type: 'SymbolicLink' });
  await assertRefused({ path: 'package/a', type: 'Link' });
  await assertRefused({ path: 'package/a', type: 'Link', linkpath: 'package/package.json', content: 'smuggled' });
  await assertRefused({ path: 'package/a', type: 'SymbolicLink', linkpath: 'package.json', content: 'smuggled' });
});

test('the detail names the entry, shortened and without control characters', async () => {
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
