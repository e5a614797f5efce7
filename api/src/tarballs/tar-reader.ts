// Adapts lib-node's tar reader for the server: accepts only files, directories and links, and maps errors to those of
// the API. Server and library share the reader, so that both reject the same archives (decision 26).

import { createHash } from 'node:crypto';
import {
  collectContent,
  createTarReader as createReader,
  TarError,
  type EntrySink,
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

/** What is wanted of an entry. */
export interface EntryRequest {
  content?: ContentRequest | undefined;
  /** Called with the SHA-256 of the content in base64url. */
  onDigest?: ((sha256: string) => void) | undefined;
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
export function createTarReader(onEntry: (entry: TarEntry) => EntryRequest): TarReader {
  const reader = createReader(({ path: name, type: typeName, sizeBytes, mode = 0, linkpath, offset }) => {
    const type = ENTRY_TYPES[typeName];
    if (!type) {
      const reason = `is not a file, directory or link (${typeName}): leave it out of the tarball.`;
      throw new TarballUnsafeEntryError(`${quoteName(name)} ${reason}`);
    }
    const target = linkpath === '' ? {} : { target: linkpath };
    const { content, onDigest } = onEntry({ name, type, sizeBytes, mode: mode & 0o7777, offset, ...target });
    const collected =
      content &&
      collectContent(Math.min(sizeBytes, content.maxBytes), (bytes) => {
        content.onContent(bytes);
      });
    return onDigest ? hashContent(onDigest, collected) : collected;
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

/** Hashes a content, and passes it on. */
function hashContent(onDigest: (sha256: string) => void, next: EntrySink | undefined): EntrySink {
  const hash = createHash('sha256');
  return {
    write(chunk) {
      hash.update(chunk);
      next?.write(chunk);
    },
    end() {
      onDigest(hash.digest('base64url'));
      next?.end();
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
