import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDiskSpaceCheck } from '../../src/remotes/disk-space.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

test('concurrent checks read the free space once', async () => {
  let reads = 0;
  const assertFreeSpace = createDiskSpaceCheck(
    {
      freeBytes: async () => {
        reads++;
        return GIB;
      },
    },
    GIB,
  );
  await Promise.all([1, 2, 3].map((sizeBytes) => assertFreeSpace(sizeBytes)));
  await assert.rejects(assertFreeSpace(GIB - 63 * MIB), { code: 'storage_full' });
  assert.equal(reads, 1);
});

for (const [what, freeBytes, maxUploadBytes, code] of [
  ['on the disk', 2 * GIB + 63 * MIB, 200 * GIB, 'storage_full'],
  ['under the limit of uploads', undefined, 2 * GIB - 1, 'upload_too_large'],
] as const) {
  test(`a size that does not fit ${what} is rejected`, async () => {
    const assertFreeSpace = createDiskSpaceCheck({ freeBytes: () => Promise.resolve(freeBytes) }, maxUploadBytes);
    await assert.rejects(assertFreeSpace(2 * GIB), { code });
    await assertFreeSpace(2 * GIB - MIB);
  });
}
