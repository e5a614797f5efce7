// Bundle file format: a plain tar archive with `blobs/<hexadecimal SHA-256>`, `thumbnails/<id>` and, last,
// `berth.json` with the documents.

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { Header } from 'tar';
import { BundleInvalidError } from './errors.ts';

/** Position of an entry's bytes in the file. */
export interface BundleEntry {
  offset: number;
  sizeBytes: number;
}

export interface BundleWriter {
  /**
   * Adds an entry. If `chunks` yields another number of bytes or throws, the file is truncated to its previous state.
   * @throws bundle_invalid
   */
  add(name: string, sizeBytes: number, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Ends the archive, syncs it to disk and renames it to its final path. */
  finish(): Promise<{ sizeBytes: number }>;
  /** Deletes the partial file. */
  abort(): Promise<void>;
}

const BLOCK_BYTES = 512;
/** Far more than the blobs and thumbnails of all artefacts that a manifest can describe. */
const MAX_ENTRIES = 1_000_000;
export const DAMAGED = 'The file is damaged, or was not made by berth remotes export.';
const TRUNCATED = 'The file is truncated: copy it again.';

/** Creates a bundle, named `<path>.part` until it is complete. */
export async function createBundleFile(path: string): Promise<BundleWriter> {
  const partial = `${path}.part`;
  const file = await open(partial, 'w', 0o600);
  let at = 0;
  const append = async (bytes: Uint8Array) => {
    await file.write(bytes, 0, bytes.length, at);
    at += bytes.length;
  };
  return {
    async add(name, sizeBytes, chunks) {
      const start = at;
      try {
        const header = Buffer.alloc(BLOCK_BYTES);
        new Header({ path: name, size: sizeBytes, mode: 0o644, type: 'File', mtime: new Date(0) }).encode(header);
        await append(header);
        for await (const chunk of chunks) await append(chunk);
        const written = at - start - BLOCK_BYTES;
        if (written !== sizeBytes)
          throw new BundleInvalidError(`${name} has ${written} bytes instead of the expected ${sizeBytes}.`);
        await append(Buffer.alloc(padding(sizeBytes)));
      } catch (error) {
        at = start;
        await file.truncate(start).catch(() => undefined);
        throw error;
      }
    },
    async finish() {
      await append(Buffer.alloc(2 * BLOCK_BYTES));
      await file.sync();
      await file.close();
      await rename(partial, path);
      return { sizeBytes: at };
    },
    async abort() {
      await file.close();
      await rm(partial, { force: true });
    },
  };
}

/**
 * Indexes the entries by name, without reading their bytes.
 * @throws bundle_invalid if the file is not a tar archive or is truncated
 */
export async function indexBundle(file: FileHandle): Promise<Map<string, BundleEntry>> {
  const { size } = await file.stat();
  const entries = new Map<string, BundleEntry>();
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
    if (bytesRead < BLOCK_BYTES) throw new BundleInvalidError(TRUNCATED);
    const header = readHeader(block);
    if (header.nullBlock) return entries;
    const { cksumValid, path, size: sizeBytes, type } = header;
    // Everything else would lead to a wrong place in the file, or back to an entry that was read before.
    const isValid = cksumValid && path && type === 'File' && Number.isSafeInteger(sizeBytes) && sizeBytes! >= 0;
    if (!isValid || entries.size === MAX_ENTRIES) throw new BundleInvalidError(DAMAGED);
    const entry = { offset: at + BLOCK_BYTES, sizeBytes: sizeBytes! };
    entries.set(path, entry);
    at = entry.offset + entry.sizeBytes + padding(entry.sizeBytes);
    if (at > size) throw new BundleInvalidError(TRUNCATED);
  }
}

/**
 * Reads an entry in chunks of at most 1 MiB.
 * @param from offset in the entry, in bytes
 * @throws bundle_invalid if the file is truncated
 */
export async function* readEntry(
  file: FileHandle,
  { offset, sizeBytes }: BundleEntry,
  from = 0,
): AsyncGenerator<Buffer> {
  for (let done = from; done < sizeBytes;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(1024 * 1024, sizeBytes - done)), {
      position: offset + done,
    });
    if (bytesRead === 0) throw new BundleInvalidError(TRUNCATED);
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** @throws bundle_invalid for a number that cannot be read */
function readHeader(block: Buffer): Header {
  try {
    return new Header(block);
  } catch (cause) {
    throw new BundleInvalidError(DAMAGED, { cause });
  }
}

function padding(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}
