// Writes one file: under an unfinished name first, then durably renamed to its final one.

import { rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { withCleanUp } from '../../errors.ts';
import type { BlobWriter } from '../blob-store.ts';
import {
  BlobExistsError,
  blobMissing,
  BlobOffsetMismatchError,
  BlobWriterClosedError,
  serialized,
} from '../errors.ts';
import type { BufferPool } from './fs-buffer-pool.ts';
import { withStorageErrors, failedWith, ignore, ifExists } from './fs-errors.ts';
import { removeEmptyFolders, assertRootExists, type FolderSync } from './fs-folders.ts';
import { FsOutput } from './fs-output.ts';

export interface FsBlobWriterOptions {
  key: string;
  root: string;
  /** The file at `unfinishedPath`, open for writing. */
  handle: FileHandle;
  unfinishedPath: string;
  finishedPath: string;
  /** Current size of the file. */
  offset: number;
  /** Shared by all writers of a store. */
  folders: FolderSync;
  pool: BufferPool;
}

/** Implements `BlobWriter` on a file; `createFsStore` explains why the file has two names. */
export class FsBlobWriter implements BlobWriter {
  readonly key: string;
  readonly state = '';
  readonly #root: string;
  readonly #output: FsOutput;
  readonly #folders: FolderSync;
  readonly #finishedPath: string;
  /** Current path of the file. */
  #path: string;
  #offset: number;
  /** Double buffering: one buffer collects chunks while the other one is being written. */
  #buffer: Uint8Array | undefined;
  #bufferedBytes = 0;
  #spareBuffer: Uint8Array | undefined;
  /** The buffer being written; `written` is undefined after a failure, until the write is retried. */
  #inFlight: { bytes: Uint8Array; position: number; written: Promise<void> | undefined } | undefined;
  /** A failed append may have left bytes beyond `offset`. */
  #hasTornWrite = false;
  /** `failed`: only `abort` is allowed; `released`: this writer no longer owns the file. */
  #phase: 'open' | 'failed' | 'released' = 'open';
  readonly #serialize = serialized(withStorageErrors);

  constructor(options: FsBlobWriterOptions) {
    this.key = options.key;
    this.#root = options.root;
    this.#output = new FsOutput(options.handle, options.unfinishedPath, options.pool);
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
      if (offset !== this.#offset) throw new BlobOffsetMismatchError(`Continue at offset ${this.#offset}.`);
      if (!this.#buffer && (await this.#output.switchToDirectIo(offset))) this.#spareBuffer = undefined;
      if (chunk.length >= this.#output.bufferBytes) await this.#writeThrough(chunk);
      else await this.#collect(chunk);
      this.#offset += chunk.length;
    });
  }

  finish(): Promise<{ sizeBytes: number }> {
    return this.#serialize(async () => {
      this.#requireOpen();
      this.#phase = 'failed';
      await this.#makeDurable();
      await this.#output.close();
      await this.#moveIntoPlace();
      this.#phase = 'released';
      return { sizeBytes: this.#offset };
    });
  }

  suspend(): Promise<void> {
    return this.#serialize(async () => {
      const isOpen = this.#phase === 'open';
      this.#phase = 'released';
      await withCleanUp(
        async () => {
          if (isOpen) await this.#makeDurable();
        },
        () => this.#output.close(),
      );
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

  /** Renames the file to its final name. Only a file that no store wrote can have that name: see `createFsStore`. */
  async #moveIntoPlace(): Promise<void> {
    if (await ifExists(stat(this.#finishedPath)))
      throw new BlobExistsError('The key is already taken by another file. Report this to the operator.');
    try {
      await rename(this.#path, this.#finishedPath);
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error;
      await assertRootExists(this.#root);
      throw blobMissing(error);
    }
    this.#path = this.#finishedPath;
    await this.#folders.sync(this.#path);
  }

  /** Makes the file durable with exactly the bytes up to `offset`. */
  async #makeDurable(): Promise<void> {
    await this.#flush();
    await this.#drain();
    // Other writers can use them while this file is being synced.
    for (const buffer of [this.#buffer, this.#spareBuffer]) if (buffer) this.#output.release(buffer);
    this.#buffer = this.#spareBuffer = undefined;
    if (this.#hasTornWrite) await this.#output.truncate(this.#offset);
    await this.#output.sync();
  }

  /** Collects a chunk in the buffer, which is written when it is full: writes then start and end aligned. */
  async #collect(chunk: Uint8Array): Promise<void> {
    this.#buffer ??= this.#output.allocate();
    const room = this.#bufferEnd() - this.#offset;
    this.#buffer.set(chunk.subarray(0, room), this.#bufferedBytes);
    if (chunk.length <= room) {
      this.#bufferedBytes += chunk.length;
      return;
    }
    // A failure leaves the buffer unchanged: the bytes just copied do not count yet.
    await this.#drain();
    this.#bufferedBytes += room;
    this.#writeBuffer(this.#offset + room);
    if (await this.#output.switchToDirectIo(this.#offset + room)) this.#buffer = this.#spareBuffer = undefined;
    this.#buffer ??= this.#output.allocate();
    this.#buffer.set(chunk.subarray(room));
    this.#bufferedBytes = chunk.length - room;
  }

  /** The position in the file at which the buffer ends. */
  #bufferEnd(): number {
    const start = this.#offset - this.#bufferedBytes;
    return start + this.#output.bufferBytes - (start % this.#output.bufferBytes);
  }

  /** Writes a large chunk without copying it into the buffer. */
  async #writeThrough(chunk: Uint8Array): Promise<void> {
    await this.#flush();
    // Earlier bytes must be written first: otherwise a crash would leave a hole.
    await this.#drain();
    try {
      await this.#output.write(chunk, this.#offset);
    } catch (error) {
      this.#hasTornWrite = true;
      throw error;
    }
  }

  /** Starts writing the buffer, after the write in progress. */
  async #flush(): Promise<void> {
    await this.#drain();
    if (this.#bufferedBytes > 0) this.#writeBuffer(this.#offset);
  }

  /** Starts writing the buffer. @param end the position in the file at which its bytes end */
  #writeBuffer(end: number): void {
    if (!this.#buffer) return;
    const bytes = this.#buffer.subarray(0, this.#bufferedBytes);
    const position = end - this.#bufferedBytes;
    const written = this.#output.write(bytes, position);
    // Awaited by the next call; until then a rejection must not count as unhandled.
    written.catch(() => undefined);
    this.#inFlight = { bytes, position, written };
    [this.#buffer, this.#spareBuffer] = [this.#spareBuffer, this.#buffer];
    this.#bufferedBytes = 0;
  }

  /** Waits for the write in progress; retries it if it has failed. */
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
