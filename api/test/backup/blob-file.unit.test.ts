import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { copyBlob, type BackupBlob } from '../../src/backup/blob-file.ts';
import { blobPath } from '../../src/backup/layout.ts';
import type { Blobs } from '../../src/blobs/index.ts';
import { StorageUnavailableError } from '../../src/blobs/errors.ts';

const BYTES = Buffer.from('a blob');
const BLOB: BackupBlob = {
  digest: `sha256:${createHash('sha256').update(BYTES).digest('hex')}`,
  storageKey: 'aa/aabb',
  sizeBytes: BYTES.length,
};

let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-blob-file-'));
});
after(async () => {
  await rm(scratch, { recursive: true });
});

/** Fakes a storage whose first reads of the blob fail. @param isAway its check fails as well */
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
  const outcome = await copyBlob(BLOB, {
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

test('a failed read is retried, and its bytes are counted once', async () => {
  const { outcome, bytes, directory } = await copy(failing({ times: 2 }));
  assert.deepEqual([outcome, bytes], ['copied', BYTES.length]);
  assert.deepEqual(await readFile(blobPath(directory, BLOB.digest)), BYTES);
});

test('a blob that a working storage cannot read is skipped as unreadable, and leaves nothing', async () => {
  const { outcome, bytes, directory } = await copy(failing({ times: Infinity }));
  assert.deepEqual([outcome, bytes], ['unreadable', 0]);
  assert.deepEqual(
    (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()),
    [],
  );
});

test('an unavailable storage ends the backup', async () => {
  await assert.rejects(copy(failing({ times: Infinity, isAway: true })), { code: 'storage_unavailable' });
});
