import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createTarReader } from '../dist/tar/index.js';
import type { TarErrorCode } from '../dist/tar/index.js';
import { packTarball } from './support/tarballs.ts';
import type { TarEntry } from './support/tarballs.ts';

interface ReadEntry {
  path: string;
  type: string;
  linkpath: string;
  content: string;
  offset: number;
}

const pack = (entries: TarEntry[]): Buffer => gunzipSync(packTarball(entries).bytes);

/** Reads an archive in chunks of `chunkBytes`. */
function read(archive: Buffer, chunkBytes = archive.length): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const reader = createTarReader(({ path, type, linkpath, offset }) => {
    const chunks: Buffer[] = [];
    return {
      write: (chunk) => {
        chunks.push(Buffer.from(chunk));
      },
      end: () => {
        entries.push({ path, type, linkpath, content: Buffer.concat(chunks).toString(), offset });
      },
    };
  });
  for (let at = 0; at < archive.length; at += chunkBytes) reader.push(archive.subarray(at, at + chunkBytes));
  reader.end();
  return entries;
}

/** Recomputes the checksum of the header at `at`. */
function withChecksum(archive: Buffer, at = 0): Buffer {
  const header = archive.subarray(at, at + 512);
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return archive;
}

const withByte = (archive: Buffer, at: number, byte: number): Buffer => {
  archive[at] = byte;
  return archive;
};
const withText = (archive: Buffer, at: number, text: string): Buffer => {
  archive.write(text, at, 'latin1');
  return archive;
};
/** Sets the size in base 256. */
const withSize = (archive: Buffer, sizeBytes: number): Buffer => {
  archive.fill(0, 124, 136);
  return withByte(withByte(archive, 124, 0x80), 135, sizeBytes);
};
const packed = (type: 'directory' | 'file'): Buffer => pack([{ path: 'package/d/', type }]);

const record = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  const digits = String(Buffer.byteLength(rest) + 2).length;
  return `${Buffer.byteLength(rest) + digits}${rest}`;
};
const rawPax = (content: string): TarEntry => ({ path: 'PaxHeader', type: 'pax', content });
const pax = (records: Record<string, string>): TarEntry =>
  rawPax(
    Object.entries(records)
      .map(([key, value]) => record(key, value))
      .join(''),
  );
const globalPax = (key: string, value: string): TarEntry => ({
  path: 'pax_global_header',
  type: 'globalPax',
  content: record(key, value),
});
const long = (type: 'longPath' | 'longLink', name: string): TarEntry => ({
  path: '././@LongLink',
  type,
  content: `${name}\0`,
});
const FILE: TarEntry = { path: 'package/a' };

test('names and contents do not depend on the size of the chunks', () => {
  const name = `package/${'日本語-été/'.repeat(30)}a = b\nc.js`;
  const archive = pack([
    { path: 'package/a', content: 'a'.repeat(1000) },
    { path: 'package/empty' },
    pax({ path: name, mtime: '1.5' }),
    { path: 'package/short', content: 'of a long name' },
    long('longPath', `${name}2`),
    long('longLink', `${name}3`),
    { path: 'package/short', type: 'symlink', linkpath: 'cut' },
    { path: 'package/d/', type: 'directory' },
  ]);
  const expected: Omit<ReadEntry, 'offset'>[] = [
    { path: 'package/a', type: 'File', linkpath: '', content: 'a'.repeat(1000) },
    { path: 'package/empty', type: 'File', linkpath: '', content: '' },
    { path: name, type: 'File', linkpath: '', content: 'of a long name' },
    { path: `${name}2`, type: 'SymbolicLink', linkpath: `${name}3`, content: '' },
    { path: 'package/d/', type: 'Directory', linkpath: '', content: '' },
  ];
  for (const chunkBytes of [1, 2, 7, 511, 512, 513, 4096, archive.length]) {
    const comparable = read(archive, chunkBytes).map(({ path, type, linkpath, content }) => ({
      path,
      type,
      linkpath,
      content,
    }));
    assert.deepEqual(comparable, expected, `${chunkBytes}`);
  }
});

test('the size of an extended header overrides that of the entry', () => {
  const archive = pack([pax({ size: '3' }), { path: 'package/a', content: 'abc' }, { path: 'package/b' }]);
  archive.write('00000000000\0', 1024 + 124);
  const entries = read(withChecksum(archive, 1024)).map(({ path, content }) => [path, content]);
  assert.deepEqual(entries, [
    ['package/a', 'abc'],
    ['package/b', ''],
  ]);
});

test('an archive without zero blocks at its end is complete', () => {
  const archive = pack([{ path: 'package/a', content: 'abc' }]);
  assert.equal(read(archive.subarray(0, 1024)).length, 1);
});

test('a long name is used even if its first 100 bytes end with a slash', () => {
  const name = `package/${'d'.repeat(91)}/file`;
  const archive = pack([pax({ path: name }), { path: name.slice(0, 100), content: 'abc' }]);
  assert.deepEqual(
    read(archive).map(({ path, type, content }) => [path, type, content]),
    [[name, 'File', 'abc']],
  );
});

test('an offset is the position of the content', () => {
  const content = 'x'.repeat(700);
  const [long, short] = [
    { path: 'package/a', content },
    { path: 'package/b', content: 'b' },
  ];
  const archive = pack([pax({ path: 'package/long' }), long, short]);
  for (const chunkBytes of [1, 700, archive.length]) {
    const contents = read(archive, chunkBytes).map(({ offset, content: { length } }) =>
      archive.toString('latin1', offset, offset + length),
    );
    assert.deepEqual(contents, [content, 'b']);
  }
});

test('damaged and ambiguous archives are refused', () => {
  const whole = pack([
    { path: 'package/a', content: 'abc' },
    { path: 'package/b', content: 'abc' },
  ]);
  const changed = (at: number, text: string): Buffer => {
    const archive = Buffer.from(whole);
    archive.write(text, at, 'latin1');
    return archive;
  };
  const disputed = changed(263, '\0\0');
  disputed.write('prefix', 345);
  const cases: Record<string, [TarErrorCode, Buffer]> = {
    'nothing': ['damaged', Buffer.alloc(0)],
    'cut within a header': ['truncated', whole.subarray(0, 1300)],
    'cut within a content': ['truncated', whole.subarray(0, 514)],
    'cut within the padding': ['truncated', whole.subarray(0, 1000)],
    'an invalid header': ['damaged', changed(1030, '\xff')],
    'a prefix that some programs ignore': ['damaged', withChecksum(disputed)],
    'data after the end': ['damaged', Buffer.concat([whole, whole])],
    'an extended header without its entry': ['truncated', pack([pax({ path: 'x' })])],
    'an extended header with a wrong length': ['damaged', pack([rawPax('99 path=x\n'), FILE])],
    'an extended header without a key': ['damaged', pack([rawPax('7 path\n'), FILE])],
    'an extended header whose record does not end': ['damaged', pack([rawPax('9 path=xy'), FILE])],
    'an extended header with an invalid size': ['damaged', pack([pax({ size: '-1' }), FILE])],
    'an extended header that is too large': ['damaged', pack([pax({ comment: 'x'.repeat(1024 * 1024) }), FILE])],
    'two names for one entry': ['ambiguous', pack([long('longPath', 'package/b'), pax({ path: 'package/c' }), FILE])],
    'one path for all entries': ['ambiguous', pack([globalPax('path', 'package/a'), FILE])],
    'a link with a content': ['ambiguous', pack([{ ...FILE, type: 'symlink', linkpath: 'b', content: 'c' }])],
    'a link to nothing': ['ambiguous', pack([{ path: 'package/a', type: 'symlink' }])],
    'a file with a target': ['ambiguous', pack([{ path: 'package/a', linkpath: 'b' }])],
    'two extended headers': ['ambiguous', pack([pax({ path: 'package/b' }), pax({ comment: 'x' }), FILE])],
    'a file named as a directory': ['ambiguous', pack([pax({ path: 'package/d/.' }), FILE])],
    'a hard link to what is named as a directory': [
      'ambiguous',
      pack([{ path: 'package/l', type: 'hardlink', linkpath: 'package/a/' }]),
    ],
    'a name that is not UTF-8': ['ambiguous', withChecksum(withByte(pack([FILE]), 8, 0xe9))],
    'a prefix that is not UTF-8': ['ambiguous', withChecksum(withByte(pack([FILE]), 345, 0xe9))],
    'a target that is not UTF-8': [
      'ambiguous',
      withChecksum(withByte(pack([{ path: 'package/l', type: 'symlink', linkpath: 'abc' }]), 158, 0xe9)),
    ],
    'a long name that is not UTF-8': [
      'ambiguous',
      pack([{ path: 'x', type: 'longPath', content: Buffer.from('package/caf\xe9\0', 'latin1') }, FILE]),
    ],
    'a pax name that is not UTF-8': [
      'ambiguous',
      pack([{ path: 'x', type: 'pax', content: Buffer.from('18 path=package/\xe9\n', 'latin1') }, FILE]),
    ],
    'a size that is not a number': ['damaged', withChecksum(withText(pack([FILE]), 124, '00000000089'))],
    'a directory with a negative size': ['damaged', withChecksum(withByte(packed('directory'), 124, 0xff))],
    'a mode that is not a number': ['damaged', withChecksum(withText(pack([FILE]), 100, 'rw-r--r'))],
    'a sparse file': ['unsupported', pack([pax({ 'GNU.sparse.map': '0,1' }), FILE])],
  };
  for (const [name, [code, archive]] of Object.entries(cases)) {
    assert.throws(() => read(archive), { name: 'TarError', code }, name);
  }
});

test('a directory may have a size of 0 in any form, and any owner and time', () => {
  const archive = withText(withText(withSize(packed('directory'), 0), 108, ' '.repeat(8)), 136, 'yesterday   ');
  assert.deepEqual(
    read(withChecksum(archive)).map(({ path, type }) => [path, type]),
    [['package/d/', 'Directory']],
  );
});

test('what follows a directory is read as the next entry, whatever size it claims', () => {
  const hidden = pack([{ path: 'package/d/hidden' }]).subarray(0, 512);
  const archive = pack([{ path: 'package/d/', type: 'directory', content: hidden }, FILE]);
  assert.deepEqual(
    read(archive).map(({ path }) => path),
    ['package/d/', 'package/d/hidden', 'package/a'],
  );
});

test('a character that stands for unreadable bytes is a name like any other', () => {
  assert.equal(read(pack([{ path: 'package/\ufffd' }]))[0]?.path, 'package/\ufffd');
});

test('the name that an extended header overrides may be cut in the middle of a character', () => {
  const name = `package/${'é'.repeat(60)}`;
  const archive = pack([pax({ path: name }), { path: name.slice(0, 55) }]);
  assert.equal(read(archive)[0]?.path, name);
});

test('a global comment changes nothing', () => {
  assert.equal(read(pack([globalPax('comment', '0123456789abcdef'), FILE])).length, 1);
});
