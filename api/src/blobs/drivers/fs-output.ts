// The file that a writer fills: through the page cache at first, past it once the file turns out to be large.

import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { BufferPool } from './fs-buffer-pool.ts';
import { failedWith } from './fs-errors.ts';

/** With the 64 KiB of a request's body, a quarter of the system calls and half of the time. */
const WRITE_BYTES = 256 * 1024;

/**
 * Without the page cache nothing joins writes any more. Each upload holds two of these: larger ones cost more memory
 * than they bring speed.
 */
const DIRECT_WRITE_BYTES = 512 * 1024;

/** Makes a buffer for direct writes. A resizable one begins at a page, as V8 makes them of whole pages. */
export function makeDirectBuffer(): Uint8Array {
  return new Uint8Array(new ArrayBuffer(DIRECT_WRITE_BYTES, { maxByteLength: DIRECT_WRITE_BYTES }));
}

/**
 * Smaller files stay in the page cache, since they are often asked for as soon as they are there; a multiple of both
 * sizes above.
 */
const DIRECT_FROM_BYTES = 8 * 1024 * 1024;

/**
 * What direct writes have to begin and end at: no block of a disk and no page is larger but on rare systems, which
 * then refuse with EINVAL.
 */
const ALIGNMENT_BYTES = 4096;

/**
 * Writes to an open file. Large files go to the disk directly (O_DIRECT, open(2)): that saves a copy of every byte and
 * a page for it, `sync` has nothing left to write at the end, and a huge upload does not push what others read out of
 * the page cache. A file system that has no such thing gets ordinary writes. Docs: decision 11. /
 */
export class FsOutput {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #spares: BufferPool | undefined;
  #direct: FileHandle | undefined;
  #directRefused = constants.O_DIRECT === undefined;

  /**
   * @param handle open for writing, of the file at `path`; closed by `close`
   * @param spares of the store, for direct writes
   */
  constructor(handle: FileHandle, path: string, spares?: BufferPool) {
    this.#handle = handle;
    this.#path = path;
    this.#spares = spares;
  }

  /**
   * Length that buffers for `write` should have, and where in the file they should begin and end: at multiples of it.
   */
  get bufferBytes(): number {
    return this.#direct ? DIRECT_WRITE_BYTES : WRITE_BYTES;
  }

  /** Gives a buffer that fits. */
  allocate(): Uint8Array {
    if (!this.#direct) return Buffer.allocUnsafeSlow(WRITE_BYTES);
    return this.#spares?.take() ?? makeDirectBuffer();
  }

  /** Takes back a buffer of `allocate` that no write uses any more. */
  release(buffer: Uint8Array): void {
    if (buffer.length === DIRECT_WRITE_BYTES) this.#spares?.keep(buffer);
  }

  /**
   * Goes over to direct writes where the next one begins far enough in the file; says whether it did: buffers are
   * another size then.
   */
  async switchToDirectIo(position: number): Promise<boolean> {
    if (this.#direct || this.#directRefused || position < DIRECT_FROM_BYTES) return false;
    try {
      this.#direct = await open(this.#path, constants.O_WRONLY | constants.O_DIRECT);
      return true;
    } catch {
      // Whatever it is: the other handle tells it where it matters.
      this.#directRefused = true;
      return false;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      written += await this.#writeSome(bytes, written, position + written);
    }
  }

  async #writeSome(bytes: Uint8Array, from: number, position: number): Promise<number> {
    const length = bytes.length - from;
    if (this.#direct && position % ALIGNMENT_BYTES === 0 && length % ALIGNMENT_BYTES === 0) {
      try {
        return (await this.#direct.write(bytes, from, length, position)).bytesWritten;
      } catch (error) {
        // The bytes are not where this disk wants them in memory, or it takes larger blocks only.
        if (!failedWith(error, 'EINVAL')) throw error;
      }
    }
    return (await this.#handle.write(bytes, from, length, position)).bytesWritten;
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  /** Makes what was written durable, whichever way it went. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  async close(): Promise<void> {
    try {
      await this.#direct?.close();
    } finally {
      await this.#handle.close();
    }
  }
}
