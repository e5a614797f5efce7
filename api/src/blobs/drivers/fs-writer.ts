// Writes one file, from its first byte under an unfinished name to its durable, final one.

import { rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import type { BlobWriter } from '../blob-store.ts';
import {
  BlobExistsError,
  blobMissing,
  BlobOffsetMismatchError,
  BlobWriterClosedError,
  serialized,
} from '../errors.ts';
import type { BufferPool } from './fs-buffer-pool.ts';
import { asStorage, failedWith, ignore, unlessGone } from './fs-errors.ts';
import { removeEmptyFolders, requireFolder, type FolderSync } from './fs-folders.ts';
import { FsOutput } from './fs-output.ts';

export interface FsBlobWriterOptions {
  key: string;
  root: string;
  /** Open for writing, of the file at `unfinishedPath`. */
  handle: FileHandle;
  unfinishedPath: string;
  finishedPath: string;
  /** Bytes that the file holds. */
  offset: number;
  /** What the writers of a store share. */
  folders: FolderSync;
  spares: BufferPool;
}

/** Writes a blob as `BlobWriter` says; `createFsStore` tells why the file has two names. */
export class FsBlobWriter implements BlobWriter {
  readonly key: string;
  readonly state = '';
  readonly #root: string;
  readonly #output: FsOutput;
  readonly #folders: FolderSync;
  readonly #finishedPath: string;
  /** Where the bytes are now. */
  #path: string;
  #offset: number;
  /** Chunks are gathered here, and written while the next ones are gathered in the other one. */
  #buffer: Uint8Array | undefined;
  #bufferedBytes = 0;
  #spareBuffer: Uint8Array | undefined;
  /** Gathered bytes on their way to the file; `written` is undefined after a failure, until they are tried again. */
  #inFlight: { bytes: Uint8Array; position: number; written: Promise<void> | undefined } | undefined;
  /** A failed append may have left bytes behind `offset`. */
  #torn = false;
  /** `failed`: only `abort` is left; `released`: the file is no longer this writer's. */
  #phase: 'open' | 'failed' | 'released' = 'open';
  readonly #serialize = serialized(asStorage);

  constructor(options: FsBlobWriterOptions) {
    this.key = options.key;
    this.#root = options.root;
    this.#output = new FsOutput(options.handle, options.unfinishedPath, options.spares);
    this.#folders = options.folders;
    this.#path = options.unfinishedPath;
    this.#finishedPath = options.finishedPath;
    this.#offset = options.offset;
  }

  get offset(): number {
    return this.#offset;
  }

  append(offset: number, chunk: Uint8Array): Promise<void> {
    return this.#serialize(async () => {
      this.#requireOpen();
      if (offset !== this.#offset) throw new BlobOffsetMismatchError(`Continue at byte ${this.#offset}.`);
      if (!this.#buffer && (await this.#output.switchToDirectIo(offset))) this.#spareBuffer = undefined;
      if (chunk.length >= this.#output.bufferBytes) await this.#writeThrough(chunk);
      else await this.#gather(chunk);
      this.#offset += chunk.length;
    });
  }

  finish(): Promise<{ sizeBytes: number }> {
    return this.#serialize(async () => {
      this.#requireOpen();
      this.#phase = 'failed';
      await this.#settle();
      await this.#output.close();
      await this.#publish();
      this.#phase = 'released';
      return { sizeBytes: this.#offset };
    });
  }

  suspend(): Promise<void> {
    return this.#serialize(async () => {
      const unsettled = this.#phase === 'open';
      this.#phase = 'released';
      try {
        if (unsettled) await this.#settle();
      } finally {
        await this.#output.close();
      }
    });
  }

  abort(): Promise<void> {
    return this.#serialize(async () => {
      if (this.#phase === 'released') return;
      this.#phase = 'failed';
      await this.#output.close();
      await unlink(this.#path).catch(ignore('ENOENT'));
      await removeEmptyFolders(this.#root, this.#path);
      this.#phase = 'released';
    });
  }

  /**
   * Gives the file its final name. Nothing can take that name meanwhile but a file that no store wrote: see
   * `createFsStore`.
   */
  async #publish(): Promise<void> {
    if (await unlessGone(stat(this.#finishedPath)))
      throw new BlobExistsError('Something else put a file in its place.');
    try {
      await rename(this.#path, this.#finishedPath);
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error;
      await requireFolder(this.#root);
      throw blobMissing(error);
    }
    this.#path = this.#finishedPath;
    await this.#folders.sync(this.#path);
  }

  /** Makes the file durable with exactly the bytes up to `offset`. */
  async #settle(): Promise<void> {
    await this.#flush();
    await this.#drain();
    // Others can gather in them while this file is made durable.
    for (const buffer of [this.#buffer, this.#spareBuffer]) if (buffer) this.#output.release(buffer);
    this.#buffer = this.#spareBuffer = undefined;
    if (this.#torn) await this.#output.truncate(this.#offset);
    await this.#output.sync();
  }

  /**
   * Fills the buffer to its end before it is sent on its way: buffers begin and end where the output wants them to.
   */
  async #gather(chunk: Uint8Array): Promise<void> {
    this.#buffer ??= this.#output.allocate();
    const room = this.#bufferEnd() - this.#offset;
    this.#buffer.set(chunk.subarray(0, room), this.#bufferedBytes);
    if (chunk.length <= room) {
      this.#bufferedBytes += chunk.length;
      return;
    }
    // A failure leaves the buffer as it was: what was put behind its bytes does not count yet.
    await this.#drain();
    this.#bufferedBytes += room;
    this.#sendBuffer(this.#offset + room);
    if (await this.#output.switchToDirectIo(this.#offset + room)) this.#buffer = this.#spareBuffer = undefined;
    this.#buffer ??= this.#output.allocate();
    this.#buffer.set(chunk.subarray(room));
    this.#bufferedBytes = chunk.length - room;
  }

  /** Where in the file the buffer ends. */
  #bufferEnd(): number {
    const start = this.#offset - this.#bufferedBytes;
    return start + this.#output.bufferBytes - (start % this.#output.bufferBytes);
  }

  /** Writes a chunk that is worth it without gathering it. */
  async #writeThrough(chunk: Uint8Array): Promise<void> {
    await this.#flush();
    // Never bytes behind bytes that are not there yet: a crash would leave a hole.
    await this.#drain();
    try {
      await this.#output.write(chunk, this.#offset);
    } catch (error) {
      this.#torn = true;
      throw error;
    }
  }

  /** Sends what is gathered on its way, once what was sent before has arrived. */
  async #flush(): Promise<void> {
    await this.#drain();
    if (this.#bufferedBytes > 0) this.#sendBuffer(this.#offset);
  }

  /** @param end where in the file the gathered bytes end */
  #sendBuffer(end: number): void {
    if (!this.#buffer) return;
    const bytes = this.#buffer.subarray(0, this.#bufferedBytes);
    const position = end - this.#bufferedBytes;
    const written = this.#output.write(bytes, position);
    // Awaited by the next call: until then a failure must not count as unhandled.
    written.catch(() => undefined);
    this.#inFlight = { bytes, position, written };
    [this.#buffer, this.#spareBuffer] = [this.#spareBuffer, this.#buffer];
    this.#bufferedBytes = 0;
  }

  async #drain(): Promise<void> {
    if (!this.#inFlight) return;
    const { bytes, position, written = this.#output.write(bytes, position) } = this.#inFlight;
    this.#inFlight.written = undefined;
    await written;
    this.#inFlight = undefined;
  }

  #requireOpen(): void {
    if (this.#phase !== 'open') throw new BlobWriterClosedError('Start the upload again, or resume it.');
  }
}
