// Scans an npm tarball in one streaming pass: inflates it, reads the tar and collects its metadata (contents.ts).
// Writes nothing: storing, and the digest by which Berth knows the bytes, are up to the caller.

import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { createContents } from './contents.ts';
import { TarballNotGzipError, TarballTooLargeUnpackedError, TarballTruncatedError } from './errors.ts';
import type { TarballScan } from './scan.ts';
import { createTarReader } from './tar-reader.ts';

/** Bytes per job of the thread pool, after which the limits are checked. Larger chunks are hardly faster. */
const INFLATED_CHUNK_BYTES = 64 * 1024;

const UPLOAD_TGZ = 'upload the .tgz file that npm pack writes';
const DAMAGED = `The gzip file is damaged or followed by other data: ${UPLOAD_TGZ}.`;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
/** A gzip file ends with the size of its content, 32 bits. */
const SIZE_BYTES = 4;
const SIZE_MODULUS = 2 ** 32;

/** The inflater's window and buffers, and one file content that is being collected. */
const INFLATER_BYTES = 256 * 1024;

export interface TarballLimits {
  /** Bytes of the inflated archive, headers included; default of the server 4 GiB. */
  maxUnpackedBytes: number;
  /** Files, directories and links; default of the server 200,000. */
  maxTarEntries: number;
}

/** What one scan may cost the thread that runs it. Beyond, `write` and `finish` throw ScanTooCostlyError. */
export interface ScanBudget {
  /** Bytes of the inflated archive. */
  maxInflatedBytes: number;
  /** Bytes of package.json files. */
  maxParsedBytes: number;
}

/** The scan is to be repeated elsewhere; nothing is wrong with the tarball so far. */
export class ScanTooCostlyError extends Error {}

export interface TarballScanner {
  /** Approximate memory use, in bytes; grows with the file index. */
  readonly heldBytes: number;
  /**
   * Feeds the next bytes of the file. Resolves when they are inflated and read; until then they must not change, and
   * `write` must not be called again.
   * @throws the first error, as soon as it is found, and on every later call: tarball_not_gzip, tarball_not_tar,
   *   tarball_truncated, tarball_unsafe_entry, tarball_too_many_entries, tarball_too_large_unpacked, manifest_invalid,
   *   manifest_duplicate, manifest_too_large
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Ends the file and resolves with the result.
   * @throws the errors of `write`, and manifest_missing; tarball_not_gzip for an empty file
   */
  finish(): Promise<TarballScan>;
  /** Releases the inflater. Pending and later calls reject. Does nothing after `finish`. */
  abort(): void;
}

/**
 * Creates the scanner of one tarball. Its memory use grows with the file index, not with the size of the tarball.
 * @param budget default: no other limits than those of the tarball
 */
export function createTarballScanner(limits: TarballLimits, budget?: ScanBudget): TarballScanner {
  const contents = createContents(limits);
  const reader = createTarReader((entry) => {
    const request = contents.add(entry);
    if (budget && contents.parsedBytes > budget.maxParsedBytes) throw new ScanTooCostlyError();
    return request;
  });
  // For npm clients, which know no other digests.
  const sha512 = createHash('sha512');
  const sha1 = createHash('sha1');
  const gunzip = createGunzip({ chunkSize: INFLATED_CHUNK_BYTES });
  /** The first two bytes of the file, and its last five. */
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  let receivedBytes = 0;
  let inflatedBytes = 0;
  let failure: Error | undefined;
  let rejectPending: ((reason: Error) => void) | undefined;

  function fail(error: Error): void {
    failure ??= error;
    gunzip.destroy();
    rejectPending?.(failure);
  }

  /** The inflater stops at zeros after the data, with which some programs pad. Anything else there is damage. */
  function checkPadding(chunk: Uint8Array): void {
    const unreadBytes = Math.min(receivedBytes - gunzip.bytesWritten, chunk.length);
    if (unreadBytes > 0 && chunk.subarray(-unreadBytes).some((byte) => byte !== 0)) {
      fail(new TarballNotGzipError(DAMAGED));
    }
  }

  gunzip.on('data', (chunk: Buffer) => {
    inflatedBytes += chunk.length;
    try {
      if (inflatedBytes > limits.maxUnpackedBytes) {
        throw new TarballTooLargeUnpackedError(
          `The tarball unpacks to more than ${limits.maxUnpackedBytes} bytes: leave out files that are not needed ` +
            'to run it.',
        );
      }
      if (budget && inflatedBytes > budget.maxInflatedBytes) throw new ScanTooCostlyError();
      reader.push(chunk);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
  gunzip.on('error', (error) => {
    fail(toTarballError(error));
  });

  function toTarballError(error: Error & { code?: string }): Error {
    const options = { cause: error };
    if (error.code === 'Z_DATA_ERROR' || (error.code === 'Z_BUF_ERROR' && hasOneByteMore()))
      return new TarballNotGzipError(
        head.equals(GZIP_MAGIC) ? DAMAGED : `The file is not gzip: ${UPLOAD_TGZ}.`,
        options,
      );
    if (error.code === 'Z_BUF_ERROR')
      return new TarballTruncatedError('The gzip file is truncated: upload the complete file again.', options);
    return error;
  }

  /** A single byte after the file, such as a line end, is the beginning of another one to the inflater. */
  function hasOneByteMore(): boolean {
    return inflatedBytes > 0 && tail.length > SIZE_BYTES && tail.readUInt32LE() === inflatedBytes % SIZE_MODULUS;
  }

  return {
    get heldBytes() {
      return INFLATER_BYTES + contents.heldBytes;
    },
    write(chunk) {
      if (failure) return Promise.reject(failure);
      receivedBytes += chunk.length;
      // Copied, since the chunk changes afterwards.
      head = Buffer.concat([head, chunk.subarray(0, GZIP_MAGIC.length - head.length)]);
      tail = Buffer.concat([tail, chunk.subarray(-SIZE_BYTES - 1)]).subarray(-SIZE_BYTES - 1);
      return new Promise((resolve, reject) => {
        rejectPending = reject;
        gunzip.write(chunk, () => {
          if (!failure) checkPadding(chunk);
          if (failure) reject(failure);
          else resolve();
        });
        // While a thread of the pool inflates the chunk.
        sha512.update(chunk);
        sha1.update(chunk);
      });
    },
    async finish() {
      if (receivedBytes === 0) fail(new TarballNotGzipError(`The file is empty: ${UPLOAD_TGZ}.`));
      if (failure) throw failure;
      await new Promise<void>((resolve, reject) => {
        rejectPending = reject;
        if (gunzip.readableEnded) resolve();
        else gunzip.once('end', resolve).end();
      });
      reader.end();
      return {
        ...contents.toScan(),
        integrity: `sha512-${sha512.digest('base64')}`,
        shasum: sha1.digest('hex'),
      };
    },
    abort() {
      fail(new Error('The scan was aborted'));
    },
  };
}
