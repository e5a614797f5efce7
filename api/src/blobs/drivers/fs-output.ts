// The output file of a writer. Writes go through the page cache first, and bypass it once the file is large.

import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { withCleanUp } from '../../errors.ts';
import type { BufferPool } from './fs-buffer-pool.ts';
import { failedWith } from './fs-errors.ts';

/** Compared with the 64 KiB chunks of a request body: a quarter of the system calls and half of the time. */
const WRITE_BYTES = 256 * 1024;

/**
 * Without the page cache, nothing merges small writes. Each upload holds two of these buffers; larger ones are not
 * worth the memory.
 */
const DIRECT_WRITE_BYTES = 512 * 1024;

/** Allocates a buffer for direct writes. Resizable buffers are page-aligned, since V8 maps them as whole pages. */
export function makeDirectBuffer(): Uint8Array {
  return new Uint8Array(new ArrayBuffer(DIRECT_WRITE_BYTES, { maxByteLength: DIRECT_WRITE_BYTES }));
}

/** After the first buffer: a smaller file gains nothing from a second file handle. */
const DIRECT_FROM_BYTES = WRITE_BYTES;

/**
 * Alignment of direct writes. Disk blocks and pages are rarely larger; systems where they are refuse with EINVAL.
 */
const ALIGNMENT_BYTES = 4096;

/**
 * Writes to an open file. Large files are written directly to the disk (O_DIRECT, open(2)). This saves copying every
 * byte into the page cache, leaves nothing for `sync` to write at the end, and keeps a huge upload from evicting the
 * pages that downloads need. File systems without O_DIRECT get ordinary writes. See decision 11.
 */
export class FsOutput {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #pool: BufferPool | undefined;
  #direct: FileHandle | undefined;
  #directRefused = constants.O_DIRECT === undefined;

  /**
   * @param handle the file at `path`, open for writing; closed by `close`
   * @param pool the store's buffers for direct writes
   */
  constructor(handle: FileHandle, path: string, pool?: BufferPool) {
    this.#handle = handle;
    this.#path = path;
    this.#pool = pool;
  }

  /** Length of a buffer for `write`; buffers should start and end at multiples of it in the file. */
  get bufferBytes(): number {
    return this.#direct ? DIRECT_WRITE_BYTES : WRITE_BYTES;
  }

  /** Returns a buffer of `bufferBytes`. */
  allocate(): Uint8Array {
    if (!this.#direct) return Buffer.allocUnsafeSlow(WRITE_BYTES);
    return this.#pool?.acquire() ?? makeDirectBuffer();
  }

  /** Returns a buffer from `allocate` that no write uses any more. */
  release(buffer: Uint8Array): void {
    if (buffer.length === DIRECT_WRITE_BYTES) this.#pool?.release(buffer);
  }

  /**
   * Switches to direct writes once the position is far enough in the file. Returns whether it switched: buffers have a
   * different size from then on.
   */
  async switchToDirectIo(position: number): Promise<boolean> {
    if (this.#direct || this.#directRefused || position < DIRECT_FROM_BYTES) return false;
    try {
      this.#direct = await open(this.#path, constants.O_WRONLY | constants.O_DIRECT);
      return true;
    } catch {
      // Any error that matters also shows on the other handle.
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
        // The memory is not aligned as this disk requires, or its blocks are larger.
        if (!failedWith(error, 'EINVAL')) throw error;
      }
    }
    return (await this.#handle.write(bytes, from, length, position)).bytesWritten;
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  /** Makes all writes durable, direct or not. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  async close(): Promise<void> {
    await withCleanUp(
      async () => this.#direct?.close(),
      () => this.#handle.close(),
    );
  }
}
