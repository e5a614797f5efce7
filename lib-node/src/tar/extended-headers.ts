// Headers that describe the entry after them: pax records and GNU long names. Whole and strict, since what one tar
// program skips here another one unpacks. The headers of entries themselves are decoded by node-tar.

import { TarError } from './tar-error.ts';

/** As much as node-tar reads; it skips larger ones, and the names in them. */
export const MAX_EXTENDED_HEADER_BYTES = 1024 * 1024;

/** What an extended header says in place of the entry's own header. */
export interface Overrides {
  path?: string;
  linkpath?: string;
  size?: number;
}

/** Reads the body of an extended header, for those kinds (by node-tar's names) that are understood. */
export const extendedHeaderReaders: Partial<Record<string, (body: Buffer) => Overrides>> = {
  ExtendedHeader: readPaxRecords,
  OldExtendedHeader: readPaxRecords,
  GlobalExtendedHeader: readGlobalRecords,
  NextFileHasLongPath: (body) => ({ path: readLongName(body) }),
  NextFileHasLongLinkpath: (body) => ({ linkpath: readLongName(body) }),
};

/** Joins what several extended headers say of one entry. @throws TarError `ambiguous` when they contradict */
export function joinOverrides(known: Overrides, more: Overrides): Overrides {
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
    if (!isRecord || equals < space || equals >= end) throw unreadable();
    const key = body.toString('utf8', space + 1, equals);
    const value = body.toString('utf8', equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.')) throw new TarError('unsupported', 'the archive holds a sparse file');
    if (key === 'path' || key === 'linkpath') overrides[key] = value;
    if (key === 'size') overrides.size = readSize(value);
    at = end;
  }
  return overrides;
}

/** Comments, from git archive, are harmless; one path or size for all entries is not. */
function readGlobalRecords(body: Buffer): Overrides {
  if (Object.keys(readPaxRecords(body)).length > 0) {
    throw new TarError('ambiguous', 'a global extended header names all entries alike');
  }
  return {};
}

function readSize(value: string): number {
  const sizeBytes = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(sizeBytes)) throw unreadable();
  return sizeBytes;
}

/** GNU tar ends the name with one zero byte, others fill up with them. */
function readLongName(body: Buffer): string {
  return body.toString('utf8').replace(/\0+$/, '');
}

function unreadable(): TarError {
  return new TarError('damaged', 'an extended header cannot be read');
}
