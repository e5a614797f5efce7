import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createTarReader } from '../dist/tar-reader.js';
import { packTarball } from './support/tarballs.ts';
import type { TarEntry } from './support/tarballs.ts';

interface Read { path: string; type: string; linkpath: string; content: string }

const pack = (entries: TarEntry[]): Buffer => gunzipSync(packTarball(entries).bytes);

/** Reads an archive in pieces of that many bytes. */
function read(archive: Buffer, pieceBytes = archive.length): Read[] {
  const found: Read[] = [];
  const reader = createTarReader(({ path, type, linkpath }) => {
    const pieces: Buffer[] = [];
    return {
      write: (piece) => { pieces.push(Buffer.from(piece)); },
      end: () => { found.push({ path, type, linkpath, content: Buffer.concat(pieces).toString() }); },
    };
  });
  for (let at = 0; at < archive.length; at += pieceBytes) reader.push(archive.subarray(at, at + pieceBytes));
  reader.end();
  return found;
}

const record = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  const digits = String(Buffer.byteLength(rest) + 2).length;
  return `${Buffer.byteLength(rest) + digits}${rest}`;
};
const pax = (records: Record<string, string>): TarEntry => ({ path: 'PaxHeader', type: 'pax', content: Object.entries(records).map(([key, value]) => record(key, value)).join('') });
const long = (type: 'longPath' | 'longLink', name: string): TarEntry => ({ path: '././@LongLink', type, content: `${name}\0` });

test('names and contents are the same however the archive is cut into pieces', () => {
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
  const expected: Read[] = [
    { path: 'package/a', type: 'File', linkpath: '', content: 'a'.repeat(1000) },
    { path: 'package/empty', type: 'File', linkpath: '', content: '' },
    { path: name, type: 'File', linkpath: '', content: 'of a long name' },
    { path: `${name}2`, type: 'SymbolicLink', linkpath: `${name}3`, content: '' },
    { path: 'package/d/', type: 'Directory', linkpath: '', content: '' },
  ];
  for (const pieceBytes of [1, 2, 7, 511, 512, 513, 4096, archive.length]) assert.deepEqual(read(archive, pieceBytes), expected, `${pieceBytes}`);
});

test('a size of an extended header counts in place of that of the entry', () => {
  const archive = pack([pax({ size: '3' }), { path: 'package/a', content: 'abc' }, { path: 'package/b' }]);
  archive.write('00000000000\0', 1024 + 124);
  const header = archive.subarray(1024, 1536);
  header.fill(' ', 148, 156);
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
  assert.deepEqual(read(archive).map(({ path, content }) => [path, content]), [['package/a', 'abc'], ['package/b', '']]);
});

test('an archive without zero blocks at its end is whole', () => {
  const archive = pack([{ path: 'package/a', content: 'abc' }]);
  assert.equal(read(archive.subarray(0, 1024)).length, 1);
});

test('what is damaged or read differently by different programs is refused', () => {
  const whole = pack([{ path: 'package/a', content: 'abc' }, { path: 'package/b', content: 'abc' }]);
  const flipped = Buffer.from(whole);
  flipped[1030] = 255;
  const archives: Record<string, Buffer> = {
    'cut within a header': whole.subarray(0, 1300),
    'cut within a content': whole.subarray(0, 514),
    'cut within the padding': whole.subarray(0, 1000),
    'a header that is none': flipped,
    'more after the end': Buffer.concat([whole, whole]),
    'an extended header without its entry': pack([pax({ path: 'x' })]),
    'an extended header with a wrong length': pack([{ path: 'x', type: 'pax', content: '99 path=x\n' }, { path: 'package/a' }]),
    'an extended header without a key': pack([{ path: 'x', type: 'pax', content: '7 path\n' }, { path: 'package/a' }]),
    'an extended header with a strange size': pack([pax({ size: '-1' }), { path: 'package/a' }]),
    'an extended header that is huge': pack([{ path: 'x', type: 'pax', content: record('comment', 'x'.repeat(1024 * 1024)) }, { path: 'package/a' }]),
    'one path for all entries': pack([{ path: 'x', type: 'globalPax', content: record('path', 'package/a') }, { path: 'package/a' }]),
    'a link with a content': pack([{ path: 'package/a', type: 'symlink', linkpath: 'b', content: 'c' }]),
    'a link to nothing': pack([{ path: 'package/a', type: 'symlink' }]),
    'a file with a target': pack([{ path: 'package/a', linkpath: 'b' }]),
  };
  for (const [name, archive] of Object.entries(archives)) assert.throws(() => read(archive), { name: 'ArchiveError', code: 'archive_damaged' }, name);
  assert.throws(() => read(pack([pax({ 'GNU.sparse.map': '0,1' }), { path: 'package/a' }])), { code: 'archive_unsafe' });
});

test('a comment for all entries changes nothing', () => {
  assert.equal(read(pack([{ path: 'pax_global_header', type: 'globalPax', content: record('comment', '0123456789abcdef') }, { path: 'package/a' }])).length, 1);
});
