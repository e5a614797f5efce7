// Sample bytes, and helpers to write, read and compare blobs.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { BlobStore, BlobWriter, ByteRange, StoredBlob } from '../../../src/blobs/blob-store.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Generates non-repeating bytes, deterministic for the same arguments. */
export function sampleBytes(sizeBytes: number, seed = 'berth'): Buffer {
  return createHash('shake256', { outputLength: Math.max(sizeBytes, 1) })
    .update(seed)
    .digest()
    .subarray(0, sizeBytes);
}

/** Appends bytes in chunks, at the writer's offset. */
export async function appendAll(writer: BlobWriter, bytes: Uint8Array, chunkBytes = MIB): Promise<void> {
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    await writer.append(writer.offset, bytes.subarray(start, start + chunkBytes));
  }
}

export async function writeBlob(store: BlobStore, key: string, bytes: Uint8Array, chunkBytes?: number): Promise<void> {
  const writer = await store.create(key);
  await appendAll(writer, bytes, chunkBytes);
  await writer.finish();
}

export async function readBlob(store: BlobStore, key: string, range?: ByteRange): Promise<Buffer> {
  return await buffer(await store.read(key, range));
}

export async function assertHolds(store: BlobStore, key: string, expected: Uint8Array): Promise<void> {
  assert.deepEqual(await store.stat(key), { sizeBytes: expected.length });
  assert.equal(digestOf(await readBlob(store, key)), digestOf(expected));
}

export async function assertUnreadable(store: BlobStore, key: string): Promise<void> {
  await assert.rejects(store.stat(key), { code: 'blob_missing' });
  await assert.rejects(store.read(key), { code: 'blob_missing' });
}

/** Lists all blobs, sorted by key. */
export async function listBlobs(store: BlobStore): Promise<StoredBlob[]> {
  const blobs = [];
  for await (const blob of store.list()) blobs.push(blob);
  return blobs.sort((a, b) => (a.key < b.key ? -1 : 1));
}

export async function listKeys(store: BlobStore): Promise<string[]> {
  return (await listBlobs(store)).map(({ key }) => key);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
