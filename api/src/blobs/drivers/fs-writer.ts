// Writes one file, from its first byte under an unfinished name to its durable, final one.

import { rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import type { BlobWriter } from '../blob-store.ts';
import { BlobExistsError, BlobOffsetMismatchError, BlobWriterClosedError } from '../errors.ts';
import { blobMissing, failedWith, ignore, toStorageError, unlessGone } from './fs-errors.ts';
import { removeEmptyFolders, requireFolder, syncFolders } from './fs-folders.ts';

/**
 * Small chunks are gathered up to this size, and written while the next ones are gathered: with the 64 KiB of a request's body, a
 * quarter of the system calls and half of the time (1 MiB gains little more and costs twice its size in memory for each upload).
 */
const WRITE_BUFFER_BYTES = 256 * 1024;

export interface FsBlobWriterOptions {
  key: string;
  root: string;
  /** Open for writing, of the file at `unfinishedPath`. */
  handle: FileHandle;
  unfinishedPath: string;
  finishedPath: string;
  /** Bytes that the file holds. */
  offset: number;
}

/** Writes a blob as `BlobWriter` says; `createFsStore` tells why the file has two names. */
export class FsBlobWriter implements BlobWriter {
  readonly key: string;
  readonly state = '';
  readonly #root: string;
  readonly #handle: FileHandle;
  readonly #finishedPath: string;
  /** Where the bytes are now. */
  #path: string;
  #offset: number;
  #buffer: Buffer | undefined;
  #bufferedBytes = 0;
  #spareBuffer: Buffer | undefined;
  /** Gathered bytes on their way to the file; `written` is undefined after a failure, until they are tried again. */
  #inFlight: { bytes: Buffer; position: number; written: Promise<void> | undefined } | undefined;
  /** A failed append may have left bytes behind `offset`. */
  #torn = false;
  /** `failed`: only `abort` is left; `released`: the file is no longer this writer's. */
  #phase: 'open' | 'failed' | 'released' = 'open';
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FsBlobWriterOptions) {
    this.key = options.key;
    this.#root = options.root;
    this.#handle = options.handle;
    this.#path = options.unfinishedPath;
    this.#finishedPath = options.finishedPath;
    this.#offset = options.offset;
  }

  get offset(): number { return this.#offset; }

  append(offset: number, chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireOpen();
      if (offset !== this.#offset) throw new BlobOffsetMismatchError(`Continue at byte ${this.#offset}.`);
      if (this.#bufferedBytes + chunk.length > WRITE_BUFFER_BYTES) await this.#startFlush();
      if (chunk.length >= WRITE_BUFFER_BYTES) {
        // Never bytes behind bytes that are not there yet: a crash would leave a hole.
        await this.#drain();
        await this.#writeWhole(chunk);
      } else {
        this.#buffer ??= Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
        this.#buffer.set(chunk, this.#bufferedBytes);
        this.#bufferedBytes += chunk.length;
      }
      this.#offset += chunk.length;
    });
  }

  finish(): Promise<{ sizeBytes: number }> {
    return this.#inTurn(async () => {
      this.#requireOpen();
      this.#phase = 'failed';
      await this.#settle();
      await this.#handle.close();
      await this.#publish();
      this.#phase = 'released';
      return { sizeBytes: this.#offset };
    });
  }

  suspend(): Promise<void> {
    return this.#inTurn(async () => {
      const unsettled = this.#phase === 'open';
      this.#phase = 'released';
      try {
        if (unsettled) await this.#settle();
      } finally {
        await this.#handle.close();
      }
    });
  }

  abort(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#phase === 'released') return;
      this.#phase = 'failed';
      await this.#handle.close();
      await unlink(this.#path).catch(ignore('ENOENT'));
      await removeEmptyFolders(this.#root, this.#path);
      this.#phase = 'released';
    });
  }

  /** Gives the file its final name. Nothing can take that name meanwhile but a file that no store wrote: see `createFsStore`. */
  async #publish(): Promise<void> {
    if (await unlessGone(stat(this.#finishedPath))) throw new BlobExistsError('Something else put a file in its place.');
    try {
      await rename(this.#path, this.#finishedPath);
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error;
      await requireFolder(this.#root);
      throw blobMissing(error);
    }
    this.#path = this.#finishedPath;
    await syncFolders(this.#root, this.#path);
  }

  /** Makes the file durable with exactly the bytes up to `offset`. */
  async #settle(): Promise<void> {
    await this.#startFlush();
    await this.#drain();
    if (this.#torn) await this.#handle.truncate(this.#offset);
    await this.#handle.sync();
  }

  /** Sends what is gathered on its way, once what was sent before has arrived. */
  async #startFlush(): Promise<void> {
    await this.#drain();
    if (!this.#buffer || this.#bufferedBytes === 0) return;
    const bytes = this.#buffer.subarray(0, this.#bufferedBytes);
    const position = this.#offset - this.#bufferedBytes;
    const written = this.#write(bytes, position);
    // Awaited by the next call: until then a failure must not count as unhandled.
    written.catch(() => undefined);
    this.#inFlight = { bytes, position, written };
    [this.#buffer, this.#spareBuffer] = [this.#spareBuffer, this.#buffer];
    this.#bufferedBytes = 0;
  }

  async #drain(): Promise<void> {
    if (!this.#inFlight) return;
    const { bytes, position, written = this.#write(bytes, position) } = this.#inFlight;
    this.#inFlight.written = undefined;
    await written;
    this.#inFlight = undefined;
  }

  async #writeWhole(chunk: Uint8Array): Promise<void> {
    try {
      await this.#write(chunk, this.#offset);
    } catch (error) {
      this.#torn = true;
      throw error;
    }
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, position + written);
      written += bytesWritten;
    }
  }

  #requireOpen(): void {
    if (this.#phase !== 'open') throw new BlobWriterClosedError('Start the upload again, or resume it.');
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(step).catch((error: unknown) => { throw toStorageError(error); });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
