// Adapts lib-node's tar reader for the server: accepts only files, directories and links, and maps errors to those of
// the API. Server and library share the reader, so that both reject the same archives (decision 26).

import {
  collectContent,
  createTarReader as createReader,
  TarError,
  type TarReader,
} from '../../../lib-node/src/tar/index.ts';
import { TarballNotTarError, TarballTruncatedError, TarballUnsafeEntryError } from './errors.ts';
import { quoteName } from './names.ts';
import type { EntryType } from './types.ts';

export interface TarEntry {
  /** As in the archive, from an extended header if there is one. */
  name: string;
  type: EntryType;
  sizeBytes: number;
  /** Permission bits, with set-user-id, set-group-id and sticky. */
  mode: number;
  /** Links only; as in the archive. */
  target?: string;
  /** Offset of the content in the inflated archive, in bytes. */
  offset: number;
}

/**
 * Requests the first `maxBytes` of an entry's content. `onContent` is called once, when they or a shorter content have
 * been read.
 */
export interface ContentRequest {
  maxBytes: number;
  onContent(content: Buffer): void;
}

const ENTRY_TYPES: Partial<Record<string, EntryType>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'directory',
  Link: 'link',
  SymbolicLink: 'symlink',
};

/**
 * Creates a reader whose `push` and `end` throw tarball_not_tar, tarball_truncated, tarball_unsafe_entry, and the
 * errors of `onEntry` and `onContent`.
 * @param onEntry called with each header, before the content
 */
export function createTarReader(onEntry: (entry: TarEntry) => ContentRequest | undefined): TarReader {
  const reader = createReader(({ path: name, type: typeName, sizeBytes, mode = 0, linkpath, offset }) => {
    const type = ENTRY_TYPES[typeName];
    if (!type) {
      const reason = `is not a file, directory or link (${typeName}): leave it out of the tarball.`;
      throw new TarballUnsafeEntryError(`${quoteName(name)} ${reason}`);
    }
    const target = linkpath === '' ? {} : { target: linkpath };
    const request = onEntry({ name, type, sizeBytes, mode: mode & 0o7777, offset, ...target });
    return (
      request &&
      collectContent(Math.min(sizeBytes, request.maxBytes), (content) => {
        request.onContent(content);
      })
    );
  });
  return {
    push: (chunk) => {
      mapErrors(() => {
        reader.push(chunk);
      });
    },
    end: () => {
      mapErrors(() => {
        reader.end();
      });
    },
  };
}

function mapErrors(read: () => void): void {
  try {
    read();
  } catch (error) {
    throw error instanceof TarError ? toTarballError(error) : error;
  }
}

function toTarballError(error: TarError): Error {
  const { code, reason, entryPath } = error;
  const sentence = reason.replace(/^./, (letter) => letter.toUpperCase());
  const finding = entryPath === undefined ? sentence : `${quoteName(entryPath)} ${reason}`;
  const options = { cause: error };
  switch (code) {
    case 'damaged':
      return new TarballNotTarError(`${finding}: pack the tarball again with npm pack.`, options);
    case 'truncated': {
      const advice = 'pack the tarball again, and check whether the disk was full.';
      return new TarballTruncatedError(`${finding}: ${advice}`, options);
    }
    case 'ambiguous':
    case 'unsupported':
      return new TarballUnsafeEntryError(`${finding}: pack the tarball again with npm pack.`, options);
  }
}
