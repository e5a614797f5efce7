// Reads a tar archive as it streams by. node-tar decodes the headers, its Parser is not used: it skips what it cannot read,
// tells no offsets, and breaks names that span two chunks. What entries mean lives in contents.ts.

import { Header } from 'tar/header';
import { TarballNotTarError, TarballTruncatedError, TarballUnsafeEntryError } from './errors.ts';
import { extendedHeaderReaders, joinOverrides, MAX_EXTENDED_HEADER_BYTES, type Overrides } from './extended-headers.ts';
import { quoteName } from './operations.ts';

const BLOCK_BYTES = 512;
const PACK_AGAIN = 'pack the tarball again with npm pack';

export type EntryType = 'file' | 'directory' | 'link' | 'symlink';

export interface TarEntry {
  /** As the archive has it, from an extended header where there is one. */
  name: string;
  type: EntryType;
  sizeBytes: number;
  /** Permission bits, with set-user-id, set-group-id and sticky. */
  mode: number;
  /** Of links, as the archive has it. */
  target?: string;
  /** Where the content begins in the archive. */
  offset: number;
}

/** Asks for the first `maxBytes` of an entry's content; `take` gets them, or what there is, once they have all been read. */
export interface ContentRequest { maxBytes: number; take(content: Buffer): void }

export interface TarReader {
  /**
   * Reads on.
   * @throws tarball_not_tar, tarball_truncated, tarball_unsafe_entry, and what `onEntry` and `take` throw; the reader is of no use afterwards
   */
  push(chunk: Buffer): void;
  /**
   * Ends the archive. Zero blocks at its end may be missing.
   * @throws tarball_truncated, tarball_not_tar
   */
  end(): void;
}

const ENTRY_TYPES: Partial<Record<string, EntryType>> = {
  File: 'file', OldFile: 'file', ContiguousFile: 'file', Directory: 'directory', Link: 'link', SymbolicLink: 'symlink',
};

/**
 * Creates a reader that holds, besides one block, only the content that `onEntry` asks for and extended headers up to 1 MiB.
 * @param onEntry judges an entry by its header, before its content
 */
export function createTarReader(onEntry: (entry: TarEntry) => ContentRequest | undefined): TarReader {
  const splitHeader = Buffer.alloc(BLOCK_BYTES);
  let splitHeaderBytes = 0;
  let positionBytes = 0;
  let bodyBytesLeft = 0;
  let collector: { content: Buffer; filledBytes: number; request: ContentRequest } | undefined;
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
    if (!header) {
      throw new TarballNotTarError(state === 'begun'
        ? `The gzip file holds no tar archive: ${PACK_AGAIN}.`
        : `There is no tar header at byte ${positionBytes - BLOCK_BYTES} of the unpacked archive, it is damaged: ${PACK_AGAIN}.`);
    }
    if (header.nullBlock) {
      if (hasOverrides()) throw cutShort();
      state = 'ended';
      return;
    }
    state = 'entries';
    const readExtended = extendedHeaderReaders[header.type];
    if (readExtended) {
      const sizeBytes = header.size ?? 0;
      if (sizeBytes > MAX_EXTENDED_HEADER_BYTES) throw new TarballNotTarError(`An extended header is over 1 MiB: ${PACK_AGAIN}.`);
      expectBody(sizeBytes, { maxBytes: sizeBytes, take: (body) => { overrides = joinOverrides(overrides, readExtended(body)); } });
    } else {
      const entry = toEntry(header, overrides, positionBytes);
      overrides = {};
      expectBody(entry.sizeBytes, onEntry(entry));
    }
  }

  function expectBody(sizeBytes: number, request: ContentRequest | undefined): void {
    bodyBytesLeft = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    collector = request && { content: Buffer.allocUnsafe(Math.min(sizeBytes, request.maxBytes)), filledBytes: 0, request };
    if (bodyBytesLeft === 0) endBody();
  }

  function takeBody(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(bodyBytesLeft, chunk.length - at);
    if (collector) collector.filledBytes += chunk.copy(collector.content, collector.filledBytes, at, at + takenBytes);
    positionBytes += takenBytes;
    bodyBytesLeft -= takenBytes;
    if (bodyBytesLeft === 0) endBody();
    return takenBytes;
  }

  function endBody(): void {
    collector?.request.take(collector.content);
    collector = undefined;
  }

  function takeEnd(chunk: Buffer, at: number): number {
    for (let index = at; index < chunk.length; index++) {
      if (chunk[index] !== 0) throw new TarballNotTarError(`There is more after the end of the tar archive: ${PACK_AGAIN}.`);
    }
    return chunk.length - at;
  }

  function hasOverrides(): boolean { return Object.keys(overrides).length > 0; }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length;) {
        if (state === 'ended') at += takeEnd(chunk, at);
        else if (bodyBytesLeft > 0) at += takeBody(chunk, at);
        else at += takeHeader(chunk, at);
      }
    },
    end() {
      if (state === 'begun') throw new TarballNotTarError(`The gzip file holds no tar archive: ${PACK_AGAIN}.`);
      if (bodyBytesLeft > 0 || splitHeaderBytes > 0 || hasOverrides()) throw cutShort();
    },
  };
}

/** Undefined for a block that is no header, or not the same one to every tar program. */
function decodeHeader(block: Buffer, at: number, overrides: Overrides): Header | undefined {
  try {
    const header = new Header(block, at, overrides);
    return header.nullBlock || (header.cksumValid && header.size !== undefined && !hasDisputedPrefix(block, at)) ? header : undefined;
  } catch {
    return undefined; // A number that does not fit JavaScript's
  }
}

/** GNU tar takes the name's prefix whatever the version after "ustar", node-tar only with version 00. */
function hasDisputedPrefix(block: Buffer, at: number): boolean {
  return block[at + 345] !== 0 && block.toString('latin1', at + 257, at + 263) === 'ustar\0' && block.toString('latin1', at + 263, at + 265) !== '00';
}

function toEntry(header: Header, overrides: Overrides, offset: number): TarEntry {
  const name = overrides.path ?? header.path ?? '';
  const target = overrides.linkpath ?? header.linkpath ?? '';
  const sizeBytes = header.size ?? 0;
  const type = ENTRY_TYPES[header.type];
  if (!type) throw new TarballUnsafeEntryError(`${quoteName(name)} is neither file, directory nor link (${header.type}): leave it out of the tarball.`);
  const isLink = type === 'link' || type === 'symlink';
  if (isLink !== (target !== '') || (isLink && sizeBytes > 0)) {
    throw new TarballUnsafeEntryError(`${quoteName(name)} is half a link and half a file: ${PACK_AGAIN}.`);
  }
  return { name, type, sizeBytes, mode: (header.mode ?? 0) & 0o7777, offset, ...isLink && { target } };
}

function cutShort(): Error { return new TarballTruncatedError('The tar archive ends within an entry: pack the tarball again, and look whether the disk was full.'); }
