// Encodes tar headers and gzip members byte by byte, also as no packer would. Independent of node-tar.

import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { Random } from './random.ts';

const MAGIC = { 'v7': '', 'ustar': 'ustar\x0000', 'gnu': 'ustar  \0', 'ustar without version': 'ustar\0' };

export interface Header {
  name: Buffer;
  /** Type flag, one character. */
  type: string;
  link?: Buffer;
  format?: keyof typeof MAGIC;
  prefix?: Buffer;
  mode?: string;
  /** The fields of these numbers, as they are to be written. */
  size: Buffer | string;
  mtime?: Buffer | string;
  uid?: Buffer | string;
  checksum?: 'unsigned' | 'signed' | 'wrong' | 'short';
}

export function encodeHeader({
  name,
  type,
  link,
  format = 'ustar',
  prefix,
  checksum = 'unsigned',
  ...numbers
}: Header) {
  const block = Buffer.alloc(512);
  name.copy(block, 0, 0, 100);
  writeField(block, 100, numbers.mode ?? '0000644\0');
  writeField(block, 108, numbers.uid ?? '0000000\0');
  writeField(block, 116, '0000000\0');
  writeField(block, 124, numbers.size);
  writeField(block, 136, numbers.mtime ?? '13604020000\0');
  block.write(type, 156, 1, 'latin1');
  link?.copy(block, 157, 0, 100);
  block.write(MAGIC[format], 257, 'latin1');
  prefix?.copy(block, 345, 0, 155);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + (checksum === 'signed' && byte > 127 ? byte - 256 : byte), 0);
  const digits = (checksum === 'wrong' ? sum + 1 : sum).toString(8);
  block.write(checksum === 'short' ? `${digits} ` : `${digits.padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function writeField(block: Buffer, at: number, value: Buffer | string): void {
  (typeof value === 'string' ? Buffer.from(value, 'latin1') : value).copy(block, at);
}

export function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & 511)]);
}

export const octal = (value: number, digits = 11): string => `${value.toString(8).padStart(digits, '0')}\0`;

/** GNU tar's base 256, two's complement. */
export function base256(value: number, bytes: number): Buffer {
  const field = Buffer.alloc(bytes, value < 0 ? 0xff : 0);
  field.writeInt32BE(value, bytes - 4);
  field[0] = value < 0 ? 0xff : 0x80;
  return field;
}

/** One pax record: `<its own length> <key>=<value>\n`. */
export function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  const digits = String(rest.length + String(rest.length).length).length;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

/** Ways to compress an archive; those of `SOUND_GZIP` are correct gzip files. */
export const SOUND_GZIP = ['plain', 'stored', 'members', 'empty member', 'header fields', 'zeros'] as const;
export const ODD_GZIP = [
  'garbage',
  'newline',
  'zeros, then garbage',
  'cut',
  'wrong checksum',
  'wrong length',
  'reserved flag',
  'not compressed',
] as const;
export type GzipForm = (typeof SOUND_GZIP)[number] | (typeof ODD_GZIP)[number];

export function compress(tar: Buffer, form: GzipForm, random: Random): Buffer {
  const plain = (): Buffer => gzipSync(tar, { level: 1 });
  const after = (bytes: Buffer): Buffer => Buffer.concat([plain(), bytes]);
  const flipped = (fromEnd: number): Buffer => {
    const gzip = plain();
    gzip[gzip.length - fromEnd]! ^= 1;
    return gzip;
  };
  switch (form) {
    case 'plain':
      return plain();
    case 'stored':
      return gzipSync(tar, { level: 0 });
    case 'members': {
      const cut = random.below(tar.length);
      return Buffer.concat([gzipSync(tar.subarray(0, cut)), gzipSync(tar.subarray(cut))]);
    }
    case 'empty member':
      return after(gzipSync(''));
    case 'header fields':
      return withHeaderFields(tar, 2 + random.below(15) * 2);
    case 'zeros':
      return after(Buffer.alloc(1 + random.below(12_000)));
    case 'garbage':
      return after(Buffer.from('garbage'));
    case 'newline':
      return after(Buffer.from('\n'));
    case 'zeros, then garbage':
      return after(Buffer.concat([Buffer.alloc(1 + random.below(600)), Buffer.from('x')]));
    case 'cut': {
      const gzip = plain();
      return gzip.subarray(0, 1 + random.below(gzip.length - 1));
    }
    case 'wrong checksum':
      return flipped(5 + random.below(4));
    case 'wrong length':
      return flipped(1 + random.below(4));
    case 'reserved flag': {
      const gzip = plain();
      gzip[3] = 0x80;
      return gzip;
    }
    case 'not compressed':
      return tar;
  }
}

/** @param flags bits of RFC 1952: 2 FHCRC, 4 FEXTRA, 8 FNAME, 16 FCOMMENT */
function withHeaderFields(tar: Buffer, flags: number): Buffer {
  const known = flags & 0b11110;
  const header = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, known, 0, 0, 0, 0, 0, 3]),
    known & 4 ? Buffer.from([6, 0, 65, 66, 2, 0, 1, 2]) : Buffer.alloc(0),
    known & 8 ? Buffer.from('package.tar\0') : Buffer.alloc(0),
    known & 16 ? Buffer.from('a comment\0') : Buffer.alloc(0),
  ]);
  const headerSum = Buffer.alloc(known & 2 ? 2 : 0);
  if (known & 2) headerSum.writeUInt16LE(crc32(header) & 0xffff);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(tar));
  trailer.writeUInt32LE(tar.length, 4);
  return Buffer.concat([header, headerSum, deflateRawSync(tar), trailer]);
}
