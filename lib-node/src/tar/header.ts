// Decodes the headers of entries with node-tar, and refuses those that tar programs would read differently.

import { Header } from 'tar/header';
import type { EntryTypeName } from 'tar/types';
import type { Overrides } from './extended-headers.ts';
import { TarError } from './tar-error.ts';
import { assertUtf8 } from './utf8.ts';

export const BLOCK_BYTES = 512;

/** Fields of a header: position and length, in bytes. */
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const SIZE = [124, 12] as const;
const LINK_TARGET = [157, 100] as const;
const PREFIX = [345, 155] as const;
/** First byte of a number in base 256, GNU tar's for what octal digits do not hold. */
const BASE_256 = 0x80;
/** From this first byte on, a number in base 256 is negative. */
const NEGATIVE = 0xc0;

export interface TarEntry {
  /** Raw path, from an extended header if there is one. */
  path: string;
  type: EntryTypeName;
  sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky; undefined if the header has none. */
  mode: number | undefined;
  /** Raw target of a link; empty for other types. */
  linkpath: string;
  /** Byte offset of the content in the archive. */
  offset: number;
}

/** Decodes a header; undefined if the block is not one, or if tar programs would read it differently. */
export function decodeHeader(block: Buffer, at: number, overrides: Overrides): Header | undefined {
  try {
    const header = new Header(block, at, overrides);
    const isHeader =
      header.cksumValid && header.size !== undefined && !hasDisputedPrefix(block, at) && hasPlainNumbers(block, at);
    return header.nullBlock || isHeader ? header : undefined;
  } catch {
    return undefined; // A number that exceeds JavaScript's range.
  }
}

/**
 * Makes the entry of a decoded header. @param offset see TarEntry
 * @throws TarError `ambiguous`
 */
export function toEntry(header: Header, block: Buffer, at: number, overrides: Overrides, offset: number): TarEntry {
  const { type, mode, size: sizeBytes = 0 } = header;
  const path = overrides.path ?? header.path ?? '';
  const linkpath = overrides.linkpath ?? header.linkpath ?? '';
  const isLink = type === 'Link' || type === 'SymbolicLink';
  if (isLink !== (linkpath !== '') || (isLink && sizeBytes > 0)) {
    throw new TarError('ambiguous', 'is a link with content, or a file with a link target', path);
  }
  const isDirectory = type === 'Directory' || type === 'GNUDumpDir';
  // GNU tar takes such a file for a directory, or fails to make the entry.
  const isDisputed = endsWithDot(path) || (path.endsWith('/') && !isLink);
  if (!isDirectory && (isDisputed || (type === 'Link' && /\/\.?$/.test(linkpath)))) {
    throw new TarError('ambiguous', 'is not a directory, but its name or target ends like that of one', path);
  }
  const names = overrides.path === undefined ? [NAME, ...(hasPrefix(block, at) ? [PREFIX] : [])] : [];
  const targets = isLink && overrides.linkpath === undefined ? [LINK_TARGET] : [];
  for (const field of [...names, ...targets]) assertUtf8(fieldBytes(block, at, field), path);
  return { path, type, sizeBytes, mode, linkpath, offset };
}

function fieldBytes(block: Buffer, at: number, [start, length]: readonly [number, number]): Buffer {
  const field = block.subarray(at + start, at + start + length);
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

function fieldText(block: Buffer, at: number, field: readonly [number, number]): string {
  return fieldBytes(block, at, field).toString('latin1');
}

/**
 * node-tar reads a number from the digits before anything else, GNU tar refuses anything else. Owners and times, which
 * are not used, may be anything.
 */
function hasPlainNumbers(block: Buffer, at: number): boolean {
  return [MODE, SIZE].every((field) => {
    const first = block[at + field[0]] ?? 0;
    return first >= BASE_256 ? first < NEGATIVE : /^ *[0-7]+ *$/.test(fieldText(block, at, field));
  });
}

function hasPrefix(block: Buffer, at: number): boolean {
  return block[at + PREFIX[0]] !== 0 && block.toString('latin1', at + 257, at + 263) === 'ustar\0';
}

/** GNU tar uses the prefix of the name with any version after "ustar", node-tar only with version 00. */
function hasDisputedPrefix(block: Buffer, at: number): boolean {
  return hasPrefix(block, at) && block.toString('latin1', at + 263, at + 265) !== '00';
}

function endsWithDot(path: string): boolean {
  return /(?:^|\/)\.$/.test(path);
}
