import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readTarballBytes } from '../../src/tarballs/index.ts';
import { eventually } from '../support/eventually.ts';

const MIB = 1024 * 1024;
const inflated = randomBytes(2 * MIB);
const tarball = gzipSync(inflated, { level: 0 });

/** Streams the tarball in small chunks, as a storage might. */
const open = (bytes = tarball) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 10_000) }, (_, index) =>
      bytes.subarray(index * 10_000, (index + 1) * 10_000),
    ),
  );

const read = async (source: Readable, offset: number, sizeBytes: number) =>
  Buffer.concat((await readTarballBytes(source, { offset, sizeBytes }).toArray()) as Buffer[]);

test('streams exactly the requested range, at any offset', async () => {
  for (const [offset, sizeBytes] of [
    [0, 1],
    [0, 2 * MIB],
    [512, 65_536],
    [65_535, 2],
    [1_000_000, 500_000],
    [2 * MIB - 1, 1],
  ] as const) {
    assert.ok(
      inflated.subarray(offset, offset + sizeBytes).equals(await read(open(), offset, sizeBytes)),
      `${sizeBytes} bytes at ${offset}`,
    );
  }
});

test('streams nothing for an empty range', async () => {
  for (const offset of [0, 512, 2 * MIB]) assert.equal((await read(open(), offset, 0)).length, 0);
});

test('closes the tarball as soon as the range is read', async () => {
  const source = Readable.from(endless());
  assert.ok(inflated.subarray(100, 200).equals(await read(source, 100, 100)));
  await eventually(async () => {
    assert.ok(source.destroyed);
  });
});

test('closes the tarball when its stream is destroyed: before reading, while seeking, and between bytes', async () => {
  const unread = Readable.from(endless());
  readTarballBytes(unread, { offset: 0, sizeBytes: 10 }).destroy();
  const searched = Readable.from(endless());
  const searching = readTarballBytes(searched, { offset: Number.MAX_SAFE_INTEGER - 10, sizeBytes: 10 });
  searching.resume();
  await once(searched, 'data');
  searching.destroy();
  const halfRead = Readable.from(endless());
  const content = readTarballBytes(halfRead, { offset: 0, sizeBytes: 1024 * MIB });
  await once(content, 'readable');
  content.destroy();
  for (const source of [unread, searched, halfRead])
    await eventually(async () => {
      assert.ok(source.destroyed);
    });
});

test('applies backpressure to the tarball', async () => {
  let readBytes = 0;
  const source = Readable.from(
    endless((chunk) => {
      readBytes += chunk.length;
    }),
  );
  const content = readTarballBytes(source, { offset: 0, sizeBytes: 1024 * MIB });
  await once(content, 'readable');
  const settled = async () => {
    const before = readBytes;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    assert.equal(readBytes, before);
  };
  await eventually(settled);
  assert.ok(readBytes < 2 * MIB, `${readBytes} bytes`);
  content.destroy();
});

test('fails if the tarball ends before the range, is truncated, is damaged, or cannot be read', async () => {
  await assert.rejects(read(open(), 2 * MIB - 10, 11), /ends before the file/);
  await assert.rejects(read(open(tarball.subarray(0, MIB)), 0, 2 * MIB), { code: 'Z_BUF_ERROR' });
  const damaged = Buffer.from(tarball);
  damaged.fill(0xff, MIB, MIB + 100_000);
  await assert.rejects(read(open(damaged), 0, 2 * MIB), { code: 'Z_DATA_ERROR' });
  const failing = Readable.from(
    (function* () {
      yield tarball.subarray(0, 1000);
      throw new Error('the disk is gone');
    })(),
  );
  await assert.rejects(read(failing, 0, 2 * MIB), /the disk is gone/);
});

/** Yields the header of a tarball, then the same block endlessly. */
function* endless(onChunk?: (chunk: Buffer) => void): Generator<Buffer> {
  // Stored blocks of deflate (RFC 1951, 3.2.4) can be repeated: they do not depend on earlier ones.
  const [header, block] = [tarball.subarray(0, 10), storedBlock(inflated.subarray(0, 60_000))];
  yield header;
  for (;;) {
    onChunk?.(block);
    yield block;
  }
}

function storedBlock(bytes: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(bytes.length, 1);
  header.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return Buffer.concat([header, bytes]);
}
