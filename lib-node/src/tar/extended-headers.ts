// Parses headers that describe the entry after them: pax records and GNU long names. Strict, since an invalid record
// that one tar program skips is used by another. node-tar decodes the headers of the entries themselves.

import { TarError } from './tar-error.ts';
import { assertUtf8 } from './utf8.ts';

/** The limit of node-tar, which skips larger ones with the names in them. */
export const MAX_EXTENDED_HEADER_BYTES = 1024 * 1024;

/** Values of an extended header that override the entry's own header. */
export interface Overrides {
  path?: string;
  linkpath?: string;
  size?: number;
}

/** Parsers of extended headers, by node-tar's name of the type. */
export const extendedHeaderReaders: Partial<Record<string, (body: Buffer) => Overrides>> = {
  ExtendedHeader: readPaxRecords,
  OldExtendedHeader: readPaxRecords,
  GlobalExtendedHeader: readGlobalRecords,
  NextFileHasLongPath: (body) => ({ path: readLongName(body) }),
  NextFileHasLongLinkpath: (body) => ({ linkpath: readLongName(body) }),
};

/** Merges the overrides of several extended headers of one entry. @throws TarError `ambiguous` if they conflict */
export function mergeOverrides(known: Overrides, more: Overrides): Overrides {
  for (const key of ['path', 'linkpath', 'size'] as const) {
    if (known[key] !== undefined && more[key] !== undefined && known[key] !== more[key]) {
      throw new TarError('ambiguous', `two extended headers give one entry different values of ${key}`);
    }
  }
  return { ...known, ...more };
}

/**
 * POSIX.1-2017 pax, "pax Extended Header": records of `<length of the record in decimal> <key>=<value>\n`, the values
 * in UTF-8.
 */
function readPaxRecords(body: Buffer): Overrides {
  const overrides: Overrides = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(' ', at);
    const end = at + Number(body.toString('latin1', at, space));
    const equals = body.indexOf('=', space);
    const isRecord = space >= at && end > space && end <= body.length && body[end - 1] === 0x0a;
    if (!isRecord || equals < space || equals >= end) throw invalidHeader();
    const key = body.toString('utf8', space + 1, equals);
    const value = body.toString('utf8', equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.')) throw new TarError('unsupported', 'the archive contains a sparse file');
    if (key === 'path' || key === 'linkpath') {
      assertUtf8(body.subarray(equals + 1, end - 1), value);
      overrides[key] = value;
    }
    if (key === 'size') overrides.size = readSize(value);
    at = end;
  }
  return overrides;
}

/** Accepts comments, as of git archive, but no path or size that would apply to all entries. */
function readGlobalRecords(body: Buffer): Overrides {
  if (Object.keys(readPaxRecords(body)).length > 0) {
    throw new TarError('ambiguous', 'a global extended header sets a path or size for all entries');
  }
  return {};
}

function readSize(value: string): number {
  const sizeBytes = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(sizeBytes)) throw invalidHeader();
  return sizeBytes;
}

/** GNU tar terminates the name with one zero byte, others pad with them. */
function readLongName(body: Buffer): string {
  const name = body.toString('utf8').replace(/\0+$/, '');
  assertUtf8(body, name);
  return name;
}

function invalidHeader(): TarError {
  return new TarError('damaged', 'an extended header is invalid');
}
