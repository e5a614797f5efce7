import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAssertRoom } from '../../src/remotes/room.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

for (const [what, freeBytes, maxUploadBytes, code] of [
  ['on the disk', 2 * GIB + 63 * MIB, 200 * GIB, 'storage_full'],
  ['under the limit of uploads', undefined, 2 * GIB - 1, 'upload_too_large'],
] as const) {
  test(`what has no room ${what} is refused, with a little to spare`, async () => {
    const assertRoom = createAssertRoom({ freeBytes: () => Promise.resolve(freeBytes) }, maxUploadBytes);
    await assert.rejects(assertRoom(2 * GIB), { code });
    await assertRoom(2 * GIB - MIB);
  });
}
