import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { create } from 'tar';
import { gzipSync } from 'node:zlib';
import { extractTarball } from '../dist/index.js';
import { makeDirectory } from './support/setting.ts';
import { incompressible, packManyFiles, packTarball } from './support/tarballs.ts';
import type { TarEntry } from './support/tarballs.ts';

const MANIFEST: TarEntry = { path: 'package/package.json', content: '{}' };

async function* slices(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size)
    yield await Promise.resolve(bytes.subarray(start, start + size));
}

const extract = async (entries: TarEntry[], directory: string): Promise<void> => {
  await extractTarball(slices(packTarball(entries).bytes, 65_536), directory);
};

test('files keep content and mode, without setuid, and belong to the user of the process', async (t) => {
  const directory = await makeDirectory(t);
  const umask = process.umask();
  const content = incompressible(1_500_000);
  await extract(
    [
      { path: 'package/', type: 'directory', mode: 0o500 },
      { path: 'package/bin/', type: 'directory', mode: 0o000 },
      { path: 'package/bin/run.sh', content: '#!/bin/sh', mode: 0o755 },
      { path: './package//lib/./private.key', content: 'k', mode: 0o600 },
      { path: 'package/setuid', content: 's', mode: 0o6755 },
      { path: 'package/empty', mode: 0o444 },
      { path: 'package/data.bin', content },
    ],
    directory,
  );
  const modeOf = async (path: string): Promise<number> => (await stat(join(directory, path))).mode & 0o7777;
  assert.equal(await modeOf('bin/run.sh'), 0o755 & ~umask);
  assert.equal(await modeOf('lib/private.key'), 0o600);
  assert.equal(await modeOf('setuid'), 0o755 & ~umask);
  assert.equal(await modeOf('empty'), 0o444);
  assert.equal(await modeOf('bin'), 0o777 & ~umask);
  assert.deepEqual(await readFile(join(directory, 'data.bin')), content);
  assert.equal((await stat(join(directory, 'data.bin'))).uid, process.getuid?.());
});

test('links that stay inside are kept', async (t) => {
  const directory = await makeDirectory(t);
  await extract(
    [
      { path: 'package/a/b.js', content: 'b' },
      { path: 'package/a/same.js', type: 'symlink', linkpath: 'b.js' },
      { path: 'package/up.js', type: 'symlink', linkpath: './a/../a/b.js' },
      { path: 'package/a/root', type: 'symlink', linkpath: '..' },
      { path: 'package/later', type: 'symlink', linkpath: 'z/dangling' },
      { path: 'package/hard.js', type: 'hardlink', linkpath: 'package/a/b.js' },
    ],
    directory,
  );
  assert.equal(await readlink(join(directory, 'a/same.js')), 'b.js');
  assert.equal(await readFile(join(directory, 'up.js'), 'utf8'), 'b');
  assert.equal(await readlink(join(directory, 'a/root')), '..');
  assert.equal((await lstat(join(directory, 'later'))).isSymbolicLink(), true);
  assert.equal((await stat(join(directory, 'hard.js'))).ino, (await stat(join(directory, 'a/b.js'))).ino);
});

test('an archive of the content of a folder is unpacked as it is', async (t) => {
  const [source, directory] = [await makeDirectory(t), await makeDirectory(t)];
  await mkdir(join(source, 'sprites'));
  await writeFile(join(source, 'style.json'), '{}');
  await writeFile(join(source, 'sprites/a.png'), 'a');
  const archive = join(await makeDirectory(t), 'style.tgz');
  execFileSync('tar', ['czf', archive, '-C', source, '.']);
  await extractTarball(createReadStream(archive), join(directory, 'style'));
  assert.equal(await readFile(join(directory, 'style/style.json'), 'utf8'), '{}');
  assert.equal(await readFile(join(directory, 'style/sprites/a.png'), 'utf8'), 'a');
  await assert.rejects(
    extract([{ path: './style.json' }, { path: 'other/a.txt' }], join(directory, 'mixed')),
    /outside the top folder/,
  );
});

test('the later of two entries with one path wins', async (t) => {
  const directory = await makeDirectory(t);
  await extract(
    [
      { path: 'package/a', content: 'first' },
      { path: 'package/a', content: 'second' },
      { path: 'package/l', type: 'symlink', linkpath: 'a' },
      { path: 'package/l', content: 'a file' },
    ],
    directory,
  );
  assert.equal(await readFile(join(directory, 'a'), 'utf8'), 'second');
  assert.equal(await readFile(join(directory, 'l'), 'utf8'), 'a file');
});

test('paths and links that lead outside are refused, and nothing is written there', async (t) => {
  const link = (path: string, linkpath: string): TarEntry => ({ path: `package/${path}`, type: 'symlink', linkpath });
  const evil: Record<string, TarEntry[]> = {
    'absolute path': [{ path: '/tmp/evil', content: 'x' }],
    'parent path': [{ path: 'package/../../evil', content: 'x' }],
    'parent path that returns': [{ path: 'package/../package/evil', content: 'x' }],
    'outside the folder': [MANIFEST, { path: 'evil', content: 'x' }],
    'another folder': [MANIFEST, { path: 'other/evil', content: 'x' }],
    'a file instead of the top folder': [{ path: 'package', content: 'x' }],
    'absolute link': [link('evil', '/etc/passwd')],
    'link to the outside': [link('evil', '../evil')],
    'nested link to the outside': [link('a/b/c', '../../../evil')],
    'link to the parent of the root': [link('evil', '..')],
    'entry below a link': [link('d', '.'), { path: 'package/d/evil', content: 'x' }],
    'entry below a link to the outside': [link('d', '..'), { path: 'package/d/evil', content: 'x' }],
    'directory below a link': [link('d', '.'), { path: 'package/d/evil/', type: 'directory' }],
    'directory at the path of a link': [link('d', '.'), { path: 'package/d/', type: 'directory' }],
    'chain of links': [link('a/up', '..'), link('a/out', 'up/..')],
    'chain of links in the other order': [link('a/out', 'up/../evil'), link('a/up', '..')],
    'circle of links': [link('a', 'b'), link('b', 'a')],
    'hard link to the outside': [{ path: 'package/evil', type: 'hardlink', linkpath: '/etc/passwd' }],
    'hard link to a parent': [{ path: 'package/evil', type: 'hardlink', linkpath: 'package/../../x' }],
    'hard link to a missing entry': [{ path: 'package/evil', type: 'hardlink', linkpath: 'package/missing' }],
    'hard link to a link': [
      link('l', 'package.json'),
      { path: 'package/evil', type: 'hardlink', linkpath: 'package/l' },
    ],
    'device': [{ path: 'package/evil', type: 'device' }],
    'fifo': [{ path: 'package/evil', type: 'fifo' }],
    'file at the path of a directory': [
      { path: 'package/d/a', content: 'x' },
      { path: 'package/d', content: 'x' },
    ],
    'link at the path of a directory': [{ path: 'package/d/a', content: 'x' }, link('d', '.')],
    'file below a file': [
      { path: 'package/f', content: 'x' },
      { path: 'package/f/evil', content: 'x' },
    ],
  };
  for (const [name, entries] of Object.entries(evil)) {
    const outer = await makeDirectory(t);
    const directory = join(outer, 'inner');
    await assert.rejects(extract(entries, directory), { name: 'ArchiveError', code: 'archive_unsafe' }, name);
    assert.deepEqual(await readdir(outer), ['inner'], name);
  }
});

test('an existing link is not written through', async (t) => {
  const directory = await makeDirectory(t);
  const outside = await makeDirectory(t);
  await symlink(outside, join(directory, 'lib'));
  await writeFile(join(outside, 'kept'), 'kept');
  await symlink(join(outside, 'kept'), join(directory, 'file'));
  await assert.rejects(extract([{ path: 'package/lib/evil', content: 'x' }], directory), { code: 'archive_unsafe' });
  await extract([{ path: 'package/file', content: 'x' }], directory);
  assert.deepEqual(await readdir(outside), ['kept']);
  assert.equal(await readFile(join(outside, 'kept'), 'utf8'), 'kept');
});

test('anything but a complete gzipped tar is damaged', async (t) => {
  const complete = packTarball([MANIFEST, { path: 'package/data.bin', content: incompressible(200_000) }]).bytes;
  const flipped = Buffer.from(complete);
  flipped.fill(255, 100_000, 100_100);
  const damaged: Record<string, Buffer> = {
    'nothing': Buffer.alloc(0),
    'text': Buffer.from('<html>no tarball</html>'),
    'text gzipped': gzipSync('hello'),
    'noise gzipped': gzipSync(incompressible(5000)),
    'empty tar': gzipSync(Buffer.alloc(1024)),
    'truncated': complete.subarray(0, 150_000),
    'truncated inside': gzipSync(Buffer.from('x').subarray(1)),
    'flipped': flipped,
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    const directory = await makeDirectory(t);
    await assert.rejects(
      extractTarball(slices(bytes, 16_384), directory),
      { name: 'ArchiveError', code: 'archive_damaged' },
      name,
    );
  }
});

test('chunks can have any size', async (t) => {
  const { bytes } = packTarball([MANIFEST, { path: 'package/a', content: 'a'.repeat(3000) }]);
  for (const size of [1, 7, bytes.length]) {
    const directory = await makeDirectory(t);
    await extractTarball(slices(bytes, size), directory);
    assert.equal((await readFile(join(directory, 'a'), 'utf8')).length, 3000);
  }
});

test('an error of the stream is passed on', async (t) => {
  const directory = await makeDirectory(t);
  const failure = new Error('the source is gone');
  const source = Readable.from(slices(packManyFiles(50).bytes, 100));
  await assert.rejects(
    extractTarball(
      (async function* () {
        for await (const chunk of source) {
          yield chunk as Buffer;
          throw failure;
        }
      })(),
      directory,
    ),
    failure,
  );
});

test('an error of the file system is passed on', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(join(directory, 'a.txt'));
  await writeFile(join(directory, 'a.txt', 'in the way'), '');
  await assert.rejects(
    extract([{ path: 'package/a.txt', content: 'x' }], directory),
    (error) => error instanceof Error && 'code' in error && ['EISDIR', 'EPERM'].includes(String(error.code)),
  );
});

test('names of any length and script are unpacked unchanged, from several packers', async (t) => {
  const directory = await makeDirectory(t);
  const tree = join(directory, 'in', 'package');
  const long = join('ordner', 'ü'.repeat(60), '日本語'.repeat(20));
  await mkdir(join(tree, long), { recursive: true });
  await writeFile(join(tree, long, `${'n'.repeat(120)}.js`), 'long');
  await writeFile(join(tree, 'weird\\name \n.js'), 'weird');
  await symlink(join(long, `${'n'.repeat(120)}.js`), join(tree, 'long-link.js'));
  const packers: Record<string, (file: string) => unknown> = {
    node: (file) => create({ gzip: true, file, cwd: join(directory, 'in') }, ['package']),
    gnu: (file) => execFileSync('tar', ['czf', file, '--format=gnu', '-C', join(directory, 'in'), 'package']),
    pax: (file) => execFileSync('tar', ['czf', file, '--format=pax', '-C', join(directory, 'in'), 'package']),
  };
  for (const [name, pack] of Object.entries(packers)) {
    const file = join(directory, `${name}.tgz`);
    await pack(file);
    await extractTarball(createReadStream(file), join(directory, name));
    assertEqualTrees(tree, join(directory, name));
  }
});

test('twelve thousand files are unpacked as by GNU tar', async (t) => {
  const directory = await makeDirectory(t);
  const [ours, theirs] = [join(directory, 'ours'), join(directory, 'theirs')];
  await mkdir(theirs);
  const { bytes } = packManyFiles(12_000);
  execFileSync('tar', ['xz', '-C', theirs], { input: bytes });
  await extractTarball(slices(bytes, 65_536), ours);
  assertEqualTrees(join(theirs, 'package'), ours);
});

function assertEqualTrees(expected: string, actual: string): void {
  assert.equal(execFileSync('diff', ['-r', '--no-dereference', expected, actual], { encoding: 'utf8' }), '');
}
