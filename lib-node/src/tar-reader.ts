// Reads a tar archive as it streams by, synchronously. node-tar decodes the headers; its Parser is not used: it breaks names of
// several bytes a character that span two pieces, and costs more than the writing of small files. Where entries land is in tree-writer.ts.

import { Header } from 'tar/header';
import type { EntryTypeName } from 'tar/types';
import { ArchiveError } from './errors.ts';
import { extendedHeaderReaders } from './extended-headers.ts';
import type { Overrides } from './extended-headers.ts';

const BLOCK_BYTES = 512;
/** Of one extended header; names in it are far shorter. */
const MAX_EXTENDED_HEADER_BYTES = 1024 * 1024;

export interface TarEntry {
  /** As the archive has it, from an extended header where there is one. */
  path: string;
  type: EntryTypeName;
  /** Permission bits, with set-user-id, set-group-id and sticky. */
  mode: number | undefined;
  /** Of links, as the archive has it. */
  linkpath: string;
}

/** Takes the content of an entry, piece by piece. */
export interface EntryContent {
  write: (piece: Buffer) => void;
  end: () => void;
}

export interface TarReader {
  /** Reads on. @throws ArchiveError `archive_damaged`, and what the entries' own takers throw */
  push: (chunk: Buffer) => void;
  /** Ends the archive. Zero blocks at its end may be missing. @throws ArchiveError `archive_damaged` */
  end: () => void;
}

/** Makes a reader that calls `onEntry` for each entry, and gives its content to what that returns. */
export function createTarReader(onEntry: (entry: TarEntry) => EntryContent | undefined): TarReader {
  const splitHeader = Buffer.alloc(BLOCK_BYTES);
  let splitHeaderBytes = 0;
  let content: EntryContent | undefined;
  let contentBytesLeft = 0;
  let paddingBytesLeft = 0;
  let overrides: Overrides = {};
  let hasEnded = false;

  function takeHeader(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(BLOCK_BYTES - splitHeaderBytes, chunk.length - at);
    if (takenBytes === BLOCK_BYTES) {
      readHeader(chunk, at);
    } else {
      chunk.copy(splitHeader, splitHeaderBytes, at, at + takenBytes);
      splitHeaderBytes = (splitHeaderBytes + takenBytes) % BLOCK_BYTES;
      if (splitHeaderBytes === 0) readHeader(splitHeader, 0);
    }
    return takenBytes;
  }

  function readHeader(block: Buffer, at: number): void {
    const header = decodeHeader(block, at);
    if (header.nullBlock) {
      if (hasOverrides()) throw damaged('it ends within an entry');
      hasEnded = true;
      return;
    }
    const readExtended = extendedHeaderReaders[header.type];
    if (readExtended === undefined) {
      const { sizeBytes, ...entry } = toEntry(header, overrides);
      overrides = {};
      expectContent(sizeBytes, onEntry(entry));
    } else {
      if (!(Number(header.size) <= MAX_EXTENDED_HEADER_BYTES)) throw damaged('an extended header is over 1 MiB');
      expectContent(Number(header.size), collect((body) => { overrides = { ...overrides, ...readExtended(body) }; }));
    }
  }

  function expectContent(sizeBytes: number, taker: EntryContent | undefined): void {
    content = taker;
    contentBytesLeft = sizeBytes;
    paddingBytesLeft = -sizeBytes & (BLOCK_BYTES - 1);
    if (sizeBytes === 0) endContent();
  }

  function takeContent(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(contentBytesLeft, chunk.length - at);
    content?.write(chunk.subarray(at, at + takenBytes));
    contentBytesLeft -= takenBytes;
    if (contentBytesLeft === 0) endContent();
    return takenBytes;
  }

  function endContent(): void {
    content?.end();
    content = undefined;
  }

  function takePadding(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(paddingBytesLeft, chunk.length - at);
    paddingBytesLeft -= takenBytes;
    return takenBytes;
  }

  function takeEnd(chunk: Buffer, at: number): number {
    for (let index = at; index < chunk.length; index += 1) {
      if (chunk[index] !== 0) throw damaged('there is more after its end');
    }
    return chunk.length - at;
  }

  function hasOverrides(): boolean { return Object.keys(overrides).length > 0; }

  return {
    push: (chunk) => {
      for (let at = 0; at < chunk.length;) {
        if (contentBytesLeft > 0) at += takeContent(chunk, at);
        else if (paddingBytesLeft > 0) at += takePadding(chunk, at);
        else if (hasEnded) at += takeEnd(chunk, at);
        else at += takeHeader(chunk, at);
      }
    },
    end: () => {
      if (contentBytesLeft + paddingBytesLeft + splitHeaderBytes > 0 || hasOverrides()) throw damaged('it ends within an entry');
    },
  };
}

/** Collects a whole body. */
function collect(take: (body: Buffer) => void): EntryContent {
  const pieces: Buffer[] = [];
  return {
    write: (piece) => { pieces.push(piece); },
    end: () => { take(Buffer.concat(pieces)); },
  };
}

function decodeHeader(block: Buffer, at: number): Header {
  let header: Header | undefined;
  try {
    header = new Header(block, at);
  } catch {
    // A number that does not fit JavaScript's.
  }
  if (header === undefined || !(header.nullBlock || header.cksumValid)) throw damaged('there is no tar header where one should be');
  return header;
}

function toEntry(header: Header, overrides: Overrides): TarEntry & { sizeBytes: number } {
  const { type, mode } = header;
  const path = overrides.path ?? header.path ?? '';
  const linkpath = overrides.linkpath ?? header.linkpath ?? '';
  const sizeBytes = type === 'Directory' ? 0 : overrides.size ?? header.size;
  if (sizeBytes === undefined) throw damaged(`${JSON.stringify(path)} has no size`);
  const isLink = type === 'Link' || type === 'SymbolicLink';
  if (isLink !== (linkpath !== '') || (isLink && sizeBytes > 0)) throw damaged(`${JSON.stringify(path)} is half a link and half a file`);
  return { path, type, mode, linkpath, sizeBytes };
}

function damaged(reason: string): ArchiveError {
  return new ArchiveError('archive_damaged', `the archive is damaged: ${reason}`);
}
