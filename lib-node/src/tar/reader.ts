// Reads a tar archive as it streams by, synchronously. node-tar decodes the headers; its Parser is not used: it skips
// what it cannot read, tells no offsets, breaks names of several bytes a character that span two chunks, and costs
// more than the writing of small files. What entries mean is up to the callers.

import { Header } from 'tar/header';
import type { EntryTypeName } from 'tar/types';
import { collectContent } from './entry-content.ts';
import type { EntryContent } from './entry-content.ts';
import { extendedHeaderReaders, joinOverrides, MAX_EXTENDED_HEADER_BYTES } from './extended-headers.ts';
import type { Overrides } from './extended-headers.ts';
import { TarError } from './tar-error.ts';

const BLOCK_BYTES = 512;

export interface TarEntry {
  /** As the archive has it, from an extended header where there is one. */
  path: string;
  type: EntryTypeName;
  sizeBytes: number;
  /** Permission bits, with set-user-id, set-group-id and sticky; undefined where the header has none. */
  mode: number | undefined;
  /** Of links, as the archive has it; else empty. */
  linkpath: string;
  /** Where the content begins in the archive. */
  offset: number;
}

export interface TarReader {
  /** Reads on. @throws TarError, and what `onEntry` and contents throw; the reader is of no use afterwards */
  push: (chunk: Buffer) => void;
  /** Ends the archive. Zero blocks at its end may be missing. @throws TarError */
  end: () => void;
}

/**
 * Makes a reader that holds, besides one block, only extended headers, of up to 1 MiB.
 *
 * @param onEntry told of each entry before its content, which goes to what it returns
 */
export function createTarReader(onEntry: (entry: TarEntry) => EntryContent | undefined): TarReader {
  const splitHeader = Buffer.alloc(BLOCK_BYTES);
  let splitHeaderBytes = 0;
  let positionBytes = 0;
  let content: EntryContent | undefined;
  let contentBytesLeft = 0;
  let paddingBytesLeft = 0;
  let overrides: Overrides = {};
  let state: 'begun' | 'entries' | 'ended' = 'begun';

  function takeHeader(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(BLOCK_BYTES - splitHeaderBytes, chunk.length - at);
    positionBytes += takenBytes;
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
    const header = decodeHeader(block, at, overrides);
    if (header === undefined) {
      throw state === 'begun'
        ? noArchive()
        : new TarError('damaged', `there is no tar header at byte ${positionBytes - BLOCK_BYTES} of the archive`);
    }
    if (header.nullBlock) {
      if (hasOverrides()) throw cutShort();
      state = 'ended';
      return;
    }
    state = 'entries';
    const readExtended = extendedHeaderReaders[header.type];
    if (readExtended === undefined) {
      const entry = toEntry(header, overrides, positionBytes);
      overrides = {};
      expectContent(entry.sizeBytes, onEntry(entry));
    } else {
      const sizeBytes = header.size ?? 0;
      if (sizeBytes > MAX_EXTENDED_HEADER_BYTES) throw new TarError('damaged', 'an extended header is over 1 MiB');
      expectContent(
        sizeBytes,
        collectContent(sizeBytes, (body) => {
          overrides = joinOverrides(overrides, readExtended(body));
        }),
      );
    }
  }

  function expectContent(sizeBytes: number, taker: EntryContent | undefined): void {
    content = taker;
    contentBytesLeft = sizeBytes;
    paddingBytesLeft = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES - sizeBytes;
    if (sizeBytes === 0) endContent();
  }

  function takeContent(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(contentBytesLeft, chunk.length - at);
    content?.write(chunk.subarray(at, at + takenBytes));
    positionBytes += takenBytes;
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
    positionBytes += takenBytes;
    paddingBytesLeft -= takenBytes;
    return takenBytes;
  }

  function takeEnd(chunk: Buffer, at: number): number {
    for (let index = at; index < chunk.length; index += 1) {
      if (chunk[index] !== 0) throw new TarError('damaged', 'there is more after the end of the archive');
    }
    return chunk.length - at;
  }

  function hasOverrides(): boolean {
    return Object.keys(overrides).length > 0;
  }

  return {
    push: (chunk) => {
      for (let at = 0; at < chunk.length;) {
        if (contentBytesLeft > 0) at += takeContent(chunk, at);
        else if (paddingBytesLeft > 0) at += takePadding(chunk, at);
        else if (state === 'ended') at += takeEnd(chunk, at);
        else at += takeHeader(chunk, at);
      }
    },
    end: () => {
      if (state === 'begun') throw noArchive();
      if (contentBytesLeft + paddingBytesLeft + splitHeaderBytes > 0 || hasOverrides()) throw cutShort();
    },
  };
}

/** Undefined for a block that is no header, or not the same one to every tar program. */
function decodeHeader(block: Buffer, at: number, overrides: Overrides): Header | undefined {
  try {
    const header = new Header(block, at, overrides);
    const isHeader = header.cksumValid && header.size !== undefined && !hasDisputedPrefix(block, at);
    return header.nullBlock || isHeader ? header : undefined;
  } catch {
    return undefined; // A number that does not fit JavaScript's.
  }
}

/** GNU tar takes the name's prefix whatever the version after "ustar", node-tar only with version 00. */
function hasDisputedPrefix(block: Buffer, at: number): boolean {
  return (
    block[at + 345] !== 0 &&
    block.toString('latin1', at + 257, at + 263) === 'ustar\0' &&
    block.toString('latin1', at + 263, at + 265) !== '00'
  );
}

function toEntry(header: Header, overrides: Overrides, offset: number): TarEntry {
  const { type, mode, size: sizeBytes = 0 } = header;
  const path = overrides.path ?? header.path ?? '';
  const linkpath = overrides.linkpath ?? header.linkpath ?? '';
  const isLink = type === 'Link' || type === 'SymbolicLink';
  if (isLink !== (linkpath !== '') || (isLink && sizeBytes > 0)) {
    throw new TarError('ambiguous', 'is half a link and half a file', path);
  }
  return { path, type, sizeBytes, mode, linkpath, offset };
}

function noArchive(): TarError {
  return new TarError('damaged', 'there is no tar archive in the file');
}

function cutShort(): TarError {
  return new TarError('truncated', 'the archive ends within an entry');
}
