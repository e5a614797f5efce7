import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDiskSpaceCheck } from '../../src/remotes/disk-space.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

test('the disk is asked once for many that ask at the same moment', async () => {
  let asked = 0;
  const assertFreeSpace = createDiskSpaceCheck(
    {
      freeBytes: async () => {
        asked++;
        return GIB;
      },
    },
    GIB,
  );
  await Promise.all([1, 2, 3].map((sizeBytes) => assertFreeSpace(sizeBytes)));
  await assert.rejects(assertFreeSpace(GIB - 63 * MIB), { code: 'storage_full' });
  assert.equal(asked, 1);
});

for (const [what, freeBytes, maxUploadBytes, code] of [
  ['on the disk', 2 * GIB + 63 * MIB, 200 * GIB, 'storage_full'],
  ['under the limit of uploads', undefined, 2 * GIB - 1, 'upload_too_large'],
] as const) {
  test(`what has no room ${what} is refused, with a little to spare`, async () => {
    const assertFreeSpace = createDiskSpaceCheck({ freeBytes: () => Promise.resolve(freeBytes) }, maxUploadBytes);
    await assert.rejects(assertFreeSpace(2 * GIB), { code });
    await assertFreeSpace(2 * GIB - MIB);
  });
}
