// Scans an npm tarball in one pass while it streams by: inflates it, reads the tar in it, keeps what contents.ts says.
// Nothing is written anywhere; who feeds the scanner also hashes and stores.

import { createGunzip } from 'node:zlib';
import { createContents } from './contents.ts';
import { TarballNotGzipError, TarballTooLargeUnpackedError, TarballTruncatedError } from './errors.ts';
import type { TarballScan } from './scan.ts';
import { createTarReader } from './tar-reader.ts';

/** What is inflated between two looks at the limits, and one trip to the thread pool: larger is hardly faster. */
const INFLATED_CHUNK_BYTES = 64 * 1024;

const UPLOAD_TGZ = 'upload the .tgz file that npm pack writes';
const DAMAGED = `The gzip file is damaged, or other data follows it: ${UPLOAD_TGZ}.`;

/** The inflater's window and buffers, and a content that is being gathered. */
const INFLATER_BYTES = 256 * 1024;

export interface TarballLimits {
  /** Bytes of the inflated archive, headers included; default of the server 4 GiB. */
  maxUnpackedBytes: number;
  /** Files, directories and links; default of the server 200,000. */
  maxTarEntries: number;
}

export interface TarballScanner {
  /** About how much memory is held, which grows with the index of the files. */
  readonly heldBytes: number;
  /**
   * Feeds the next bytes of the file, which must stay as they are until it resolves: when all of them are inflated and
   * read. Await it before the next one.
   * @throws the first failure, as soon as it is found, and from then on: tarball_not_gzip, tarball_not_tar,
   *   tarball_truncated, tarball_unsafe_entry, tarball_too_many_entries, tarball_too_large_unpacked, manifest_invalid,
   *   manifest_duplicate, manifest_too_large /
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Ends the file and resolves with what was read.
   * @throws what `write` throws, and manifest_missing; an empty file is tarball_not_gzip
   */
  finish(): Promise<TarballScan>;
  /** Releases the inflater; what is under way and what follows rejects. Does nothing after `finish`. */
  abort(): void;
}

/**
 * Creates the scanner of one tarball. It holds little more than the index of the files, however large the tarball is.
 */
export function createTarballScanner(limits: TarballLimits): TarballScanner {
  const contents = createContents(limits);
  const reader = createTarReader((entry) => contents.add(entry));
  const gunzip = createGunzip({ chunkSize: INFLATED_CHUNK_BYTES });
  let receivedBytes = 0;
  let inflatedBytes = 0;
  let failure: Error | undefined;
  let rejectPending: ((reason: Error) => void) | undefined;

  function fail(error: Error): void {
    failure ??= error;
    gunzip.destroy();
    rejectPending?.(failure);
  }

  gunzip.on('data', (chunk: Buffer) => {
    inflatedBytes += chunk.length;
    try {
      if (inflatedBytes > limits.maxUnpackedBytes) {
        throw new TarballTooLargeUnpackedError(
          `The tarball unpacks to more than ${limits.maxUnpackedBytes} bytes: leave out what is not needed to run it.`,
        );
      }
      reader.push(chunk);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
  gunzip.on('error', (error) => {
    fail(toTarballError(error, inflatedBytes));
  });
  gunzip.on('end', () => {
    if (gunzip.bytesWritten < receivedBytes) fail(new TarballNotGzipError(DAMAGED));
  });

  return {
    get heldBytes() {
      return INFLATER_BYTES + contents.heldBytes;
    },
    write(chunk) {
      if (failure) return Promise.reject(failure);
      receivedBytes += chunk.length;
      return new Promise((resolve, reject) => {
        rejectPending = reject;
        gunzip.write(chunk, () => {
          if (failure) reject(failure);
          else resolve();
        });
      });
    },
    async finish() {
      if (receivedBytes === 0) fail(new TarballNotGzipError(`The file is empty: ${UPLOAD_TGZ}.`));
      if (failure) throw failure;
      await new Promise<void>((resolve, reject) => {
        rejectPending = reject;
        gunzip.once('end', resolve).end();
      });
      reader.end();
      return contents.toScan();
    },
    abort() {
      fail(new Error('The scan was aborted'));
    },
  };
}

function toTarballError(error: Error & { code?: string }, inflatedBytes: number): Error {
  switch (error.code) {
    case 'Z_BUF_ERROR':
      return new TarballTruncatedError('The gzip file ends before its end: upload it again, whole.', { cause: error });
    case 'Z_DATA_ERROR':
      return new TarballNotGzipError(inflatedBytes === 0 ? `The file is not gzip: ${UPLOAD_TGZ}.` : DAMAGED, {
        cause: error,
      });
    default:
      return error;
  }
}
