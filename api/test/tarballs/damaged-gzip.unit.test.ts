import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildTar } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes } from './scan-bytes.ts';

test('a damaged gzip file is not called anything else, however small it is', async () => {
  const tar = gzipSync(buildTar([MANIFEST]));
  const flipped = (at: number) => {
    const copy = Buffer.from(tar);
    copy[at < 0 ? copy.length + at : at]! ^= 0xff;
    return copy;
  };
  const damaged = {
    'a wrong checksum': flipped(-8),
    'a wrong size': flipped(-1),
    'wrong data': flipped(30),
    'another method': flipped(2),
    ...Object.fromEntries(
      ['\n', '\r\n', ' ', 'garbage', '\n\0'].map((rest) => [
        `${JSON.stringify(rest)} after it`,
        Buffer.concat([tar, Buffer.from(rest)]),
      ]),
    ),
  };
  for (const [what, bytes] of Object.entries(damaged))
    for (const chunkBytes of [1, 7, tar.length, bytes.length])
      await assert.rejects(
        scanBytes(bytes, { chunkBytes }),
        { code: 'tarball_not_gzip', message: /^The gzip file is damaged or followed by other data: / },
        `${what}, in chunks of ${chunkBytes}`,
      );
  for (const text of ['PK\x03\x04', '<html>', '\x1f'])
    await assert.rejects(scanBytes(Buffer.from(text, 'latin1').subarray(0, 100)), { code: /^tarball_/ });
  await assert.rejects(scanBytes(Buffer.from('<html>')), { message: /^The file is not gzip: / });
});
