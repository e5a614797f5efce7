// Reads a tar archive as a stream, synchronously. node-tar decodes the headers. Its Parser is not used: it skips what
// it cannot read, reports no offsets, breaks multi-byte characters in names that span two chunks, and takes longer
// than writing small files does.

import { collectContent } from './entry-content.ts';
import type { EntrySink } from './entry-content.ts';
import { extendedHeaderReaders, mergeOverrides, MAX_EXTENDED_HEADER_BYTES } from './extended-headers.ts';
import type { Overrides } from './extended-headers.ts';
import { BLOCK_BYTES, decodeHeader, toEntry } from './header.ts';
import type { TarEntry } from './header.ts';
import { TarError } from './tar-error.ts';

export interface TarReader {
  /** Reads the next bytes. @throws TarError, or the error of `onEntry` or a sink; the reader is unusable afterwards */
  push: (chunk: Buffer) => void;
  /** Ends the archive, whose final zero blocks may be missing. @throws TarError */
  end: () => void;
}

/**
 * Makes a reader that buffers only one block and extended headers of up to 1 MiB.
 *
 * @param onEntry called with each entry before its content; returns the sink of the content, or undefined to skip it
 */
export function createTarReader(onEntry: (entry: TarEntry) => EntrySink | undefined): TarReader {
  const splitHeader = Buffer.alloc(BLOCK_BYTES);
  let splitHeaderBytes = 0;
  let positionBytes = 0;
  let sink: EntrySink | undefined;
  let contentBytesLeft = 0;
  let paddingBytesLeft = 0;
  let overrides: Overrides = {};
  let hasRecords = false;
  let state: 'start' | 'entries' | 'end' = 'start';

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
      throw state === 'start'
        ? notAnArchive()
        : new TarError('damaged', `there is no tar header at byte ${positionBytes - BLOCK_BYTES} of the archive`);
    }
    if (header.nullBlock) {
      if (hasOverrides()) throw truncated();
      state = 'end';
      return;
    }
    state = 'entries';
    const readExtended = extendedHeaderReaders[header.type];
    if (readExtended === undefined) {
      const entry = toEntry(header, block, at, overrides, positionBytes);
      overrides = {};
      hasRecords = false;
      expectContent(entry.sizeBytes, onEntry(entry));
    } else {
      // GNU tar uses only the last one, others use both.
      const isRecords = header.type === 'ExtendedHeader' || header.type === 'OldExtendedHeader';
      if (isRecords && hasRecords) throw new TarError('ambiguous', 'one entry has two extended headers');
      hasRecords ||= isRecords;
      const sizeBytes = header.size ?? 0;
      if (sizeBytes > MAX_EXTENDED_HEADER_BYTES) throw new TarError('damaged', 'an extended header is over 1 MiB');
      expectContent(
        sizeBytes,
        collectContent(sizeBytes, (body) => {
          overrides = mergeOverrides(overrides, readExtended(body));
        }),
      );
    }
  }

  function expectContent(sizeBytes: number, contentSink: EntrySink | undefined): void {
    sink = contentSink;
    contentBytesLeft = sizeBytes;
    paddingBytesLeft = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES - sizeBytes;
    if (sizeBytes === 0) endContent();
  }

  function takeContent(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(contentBytesLeft, chunk.length - at);
    sink?.write(chunk.subarray(at, at + takenBytes));
    positionBytes += takenBytes;
    contentBytesLeft -= takenBytes;
    if (contentBytesLeft === 0) endContent();
    return takenBytes;
  }

  function endContent(): void {
    sink?.end();
    sink = undefined;
  }

  function takePadding(chunk: Buffer, at: number): number {
    const takenBytes = Math.min(paddingBytesLeft, chunk.length - at);
    positionBytes += takenBytes;
    paddingBytesLeft -= takenBytes;
    return takenBytes;
  }

  function takeEnd(chunk: Buffer, at: number): number {
    for (let index = at; index < chunk.length; index += 1) {
      if (chunk[index] !== 0) throw new TarError('damaged', 'there is data after the end of the archive');
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
        else if (state === 'end') at += takeEnd(chunk, at);
        else at += takeHeader(chunk, at);
      }
    },
    end: () => {
      if (state === 'start') throw notAnArchive();
      if (contentBytesLeft + paddingBytesLeft + splitHeaderBytes > 0 || hasOverrides()) throw truncated();
    },
  };
}

function notAnArchive(): TarError {
  return new TarError('damaged', 'the file is not a tar archive');
}

function truncated(): TarError {
  return new TarError('truncated', 'the archive ends within an entry');
}
