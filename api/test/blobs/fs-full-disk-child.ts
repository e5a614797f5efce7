// Run by fs-full-disk.unit.test.ts in a process with a file size limit, which fails like a full disk.
// Arguments: the root and the scenario. Prints the result as JSON.

import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { BlobWriter } from '../../src/blobs/blob-store.ts';
import { createFsStore } from '../../src/blobs/drivers/fs.ts';
import { KIB, sampleBytes } from './contract/blob-bytes.ts';

/** Larger than the writer's buffers, so that each chunk is written before it is accepted. */
const LARGE_CHUNK_BYTES = 600 * KIB;
const [root = '', scenario = ''] = process.argv.slice(2);
const store = createFsStore({ root });

/** Appends chunks until one is refused; returns the error code. */
async function fill(writer: BlobWriter, chunkBytes: number): Promise<string> {
  for (;;) {
    try {
      await writer.append(writer.offset, sampleBytes(writer.offset + chunkBytes).subarray(writer.offset));
    } catch (error) {
      return codeOf(error);
    }
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

const scenarios: Record<string, () => Promise<unknown>> = {
  /** A blob grows until the disk is full, and is aborted. */
  async abort() {
    const codes = [];
    for (const chunkBytes of [64 * KIB, 300 * KIB, 1024 * KIB]) {
      const writer = await store.create('aa/full');
      codes.push(await fill(writer, chunkBytes));
      await writer.abort();
    }
    return { codes, left: await readdir(root, { recursive: true }) };
  },

  /** A blob that fits into the memory buffers hits the full disk only when it is finished. */
  async finish() {
    const writer = await store.create('aa/full');
    await writer.append(0, sampleBytes(100 * KIB));
    const code = await writer.finish().then(() => 'none', codeOf);
    const again = await writer.finish().then(() => 'none', codeOf);
    await writer.abort();
    return { code, again, left: await readdir(root, { recursive: true }) };
  },

  /** A chunk that did not fit is followed by one that does. */
  async smaller() {
    const writer = await store.create('aa/full');
    const code = await fill(writer, LARGE_CHUNK_BYTES);
    const { offset } = writer;
    await writer.append(offset, sampleBytes(offset + 10).subarray(offset));
    const { sizeBytes } = await writer.finish();
    const digest = createHash('sha256')
      .update(await buffer(await store.read('aa/full')))
      .digest('hex');
    return {
      code,
      offset,
      sizeBytes,
      identical:
        digest ===
        createHash('sha256')
          .update(sampleBytes(offset + 10))
          .digest('hex'),
    };
  },

  /** A blob is suspended on the full disk, and resumed. */
  async resume() {
    const writer = await store.create('aa/full');
    const code = await fill(writer, LARGE_CHUNK_BYTES);
    await writer.suspend();
    const resumed = await store.resume('aa/full', '');
    await resumed.abort();
    return { code, kept: resumed.offset === writer.offset };
  },

  /** The readiness probe on a disk without room. */
  async check() {
    await store.check();
    return { left: await readdir(root) };
  },
};

console.log(JSON.stringify(await scenarios[scenario]!()));
