import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { copyBlob, type WantedBlob } from '../../src/backup/blob-file.ts';
import { blobPath } from '../../src/backup/layout.ts';
import type { Blobs } from '../../src/blobs/index.ts';
import { StorageUnavailableError } from '../../src/blobs/errors.ts';

const BYTES = Buffer.from('a blob');
const WANTED: WantedBlob = {
  digest: `sha256:${createHash('sha256').update(BYTES).digest('hex')}`,
  sizeBytes: BYTES.length,
};

let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-blob-file-'));
});
after(async () => {
  await rm(scratch, { recursive: true });
});

/** A storage that fails on these bytes some times, and answers otherwise, or not. */
function failing({ times, isAway = false }: { times: number; isAway?: boolean }): Blobs {
  let left = times;
  const unavailable = () => Promise.reject(new StorageUnavailableError('Try again later.'));
  return {
    async send(_digest: string, _range: undefined, write: (chunk: Uint8Array) => Promise<void>) {
      await write(BYTES.subarray(0, 3));
      if (left-- > 0) await unavailable();
      await write(BYTES.subarray(3));
    },
    check: () => (isAway ? unavailable() : Promise.resolve()),
  } as Partial<Blobs> as Blobs;
}

async function copy(blobs: Blobs): Promise<{ outcome: string; bytes: number; directory: string }> {
  const directory = await mkdtemp(join(scratch, 'backup-'));
  let bytes = 0;
  const outcome = await copyBlob(WANTED, {
    blobs,
    directory,
    verify: false,
    onBytes: (count) => {
      bytes += count;
    },
    signal: undefined,
  });
  return { outcome, bytes, directory };
}

test('a read that fails is tried again, and its bytes are counted once', async () => {
  const { outcome, bytes, directory } = await copy(failing({ times: 2 }));
  assert.deepEqual([outcome, bytes], ['copied', BYTES.length]);
  assert.deepEqual(await readFile(blobPath(directory, WANTED.digest)), BYTES);
});

test('bytes that the storage cannot read, but for which it works, are given up and leave nothing', async () => {
  const { outcome, bytes, directory } = await copy(failing({ times: Infinity }));
  assert.deepEqual([outcome, bytes], ['unreadable', 0]);
  assert.deepEqual(
    (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()),
    [],
  );
});

test('a storage that is away ends the backup', async () => {
  await assert.rejects(copy(failing({ times: Infinity, isAway: true })), { code: 'storage_unavailable' });
});
