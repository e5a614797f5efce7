// Headers that describe the entry after them: pax records and GNU long names.

import { ArchiveError } from './errors.ts';

/** What an extended header says in place of the entry's own header. */
export interface Overrides { path?: string; linkpath?: string; size?: number }

/** Reads the body of an extended header by the kind of header (node-tar's names), for those kinds that are understood. */
export const extendedHeaderReaders: Partial<Record<string, (body: Buffer) => Overrides>> = {
  ExtendedHeader: readPaxRecords,
  OldExtendedHeader: readPaxRecords,
  GlobalExtendedHeader: readGlobalRecords,
  NextFileHasLongPath: (body) => ({ path: readLongName(body) }),
  OldGnuLongPath: (body) => ({ path: readLongName(body) }),
  NextFileHasLongLinkpath: (body) => ({ linkpath: readLongName(body) }),
};

/** POSIX.1-2017 pax, "pax Extended Header": records of `<length of the record in decimal> <key>=<value>\n`, the values in UTF-8. */
function readPaxRecords(body: Buffer): Overrides {
  const overrides: Overrides = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(' ', at);
    const end = at + Number(body.toString('latin1', at, space));
    const equals = body.indexOf('=', space);
    if (space < at || !(end > space) || end > body.length || equals < space || equals >= end) throw unreadable();
    const key = body.toString('utf8', space + 1, equals);
    const value = body.toString('utf8', equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.')) throw new ArchiveError('archive_unsafe', 'the archive holds a sparse file');
    if (key === 'path' || key === 'linkpath') overrides[key] = value;
    if (key === 'size') overrides.size = readSize(value);
    at = end;
  }
  return overrides;
}

/** Comments, from git archive, are harmless; one path or size for all entries is not. */
function readGlobalRecords(body: Buffer): Overrides {
  if (Object.keys(readPaxRecords(body)).length > 0) throw unreadable();
  return {};
}

function readSize(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw unreadable();
  return Number(value);
}

/** GNU tar ends the name with one zero byte, others fill up with them. */
function readLongName(body: Buffer): string { return body.toString('utf8').replace(/\0+$/, ''); }

function unreadable(): ArchiveError { return new ArchiveError('archive_damaged', 'the archive is damaged: an extended header cannot be read'); }
