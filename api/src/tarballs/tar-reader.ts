// The tar reader as the server uses it: only files, directories and links are let in, and failures become those that
// clients see. The reader itself is that of lib-node, so that both refuse the same archives (decision 26).

import {
  collectContent,
  createTarReader as createReader,
  TarError,
  type TarReader,
} from '../../../lib-node/src/tar/index.ts';
import { TarballNotTarError, TarballTruncatedError, TarballUnsafeEntryError } from './errors.ts';
import { quoteName } from './operations.ts';
import type { EntryType } from './types.ts';

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

/**
 * Asks for the first `maxBytes` of an entry's content; `take` gets them, or what there is, once they have all been
 * read.
 */
export interface ContentRequest {
  maxBytes: number;
  take(content: Buffer): void;
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
 * Creates a reader whose `push` and `end` throw tarball_not_tar, tarball_truncated and tarball_unsafe_entry, and what
 * `onEntry` and `take` throw.
 * @param onEntry judges an entry by its header, before its content
 */
export function createTarReader(onEntry: (entry: TarEntry) => ContentRequest | undefined): TarReader {
  const reader = createReader(({ path: name, type: typeName, sizeBytes, mode = 0, linkpath, offset }) => {
    const type = ENTRY_TYPES[typeName];
    if (!type) {
      const reason = `is neither file, directory nor link (${typeName}): leave it out of the tarball.`;
      throw new TarballUnsafeEntryError(`${quoteName(name)} ${reason}`);
    }
    const target = linkpath === '' ? {} : { target: linkpath };
    const request = onEntry({ name, type, sizeBytes, mode: mode & 0o7777, offset, ...target });
    return (
      request &&
      collectContent(Math.min(sizeBytes, request.maxBytes), (content) => {
        request.take(content);
      })
    );
  });
  return {
    push: (chunk) => {
      translate(() => {
        reader.push(chunk);
      });
    },
    end: () => {
      translate(() => {
        reader.end();
      });
    },
  };
}

function translate(read: () => void): void {
  try {
    read();
  } catch (error) {
    throw error instanceof TarError ? toTarballError(error) : error;
  }
}

function toTarballError(error: TarError): Error {
  const { code, reason, entryPath } = error;
  const sentence = reason.replace(/^./, (letter) => letter.toUpperCase());
  const fault = entryPath === undefined ? sentence : `${quoteName(entryPath)} ${reason}`;
  const options = { cause: error };
  switch (code) {
    case 'damaged':
      return new TarballNotTarError(`${fault}: pack the tarball again with npm pack.`, options);
    case 'truncated': {
      const advice = 'pack the tarball again, and look whether the disk was full.';
      return new TarballTruncatedError(`${fault}: ${advice}`, options);
    }
    case 'ambiguous':
    case 'unsupported':
      return new TarballUnsafeEntryError(`${fault}: pack the tarball again with npm pack.`, options);
  }
}
