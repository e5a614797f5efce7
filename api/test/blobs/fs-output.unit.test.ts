import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { mkdtemp, open, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createFsStore } from '../../src/blobs/drivers/fs.ts';
import { FsOutput } from '../../src/blobs/drivers/fs-output.ts';
import { assertHolds, KIB, MIB, sampleBytes } from './contract/blob-bytes.ts';

/** Offset from which writes are direct. */
const DIRECT_FROM = 256 * KIB;
const LONG = 11 * MIB + 7;

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-output-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

/** Opens an output. @param directPath what direct writes open, default the file itself */
async function openOutput(
  t: TestContext,
  directPath?: string,
): Promise<{ output: FsOutput; content: () => Promise<Buffer> }> {
  const path = join(await makeDirectory(t), 'file');
  const output = new FsOutput(await open(path, 'wx'), directPath ?? path);
  return {
    output,
    async content() {
      await output.close();
      return readFile(path);
    },
  };
}

/** Counts this process's O_DIRECT descriptors of files below a directory. */
async function countDirect(directory: string): Promise<number> {
  let count = 0;
  for (const descriptor of await readdir('/proc/self/fd')) {
    const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'latin1').catch(() => '');
    const flags = parseInt(/^flags:\s+([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
    if (target.startsWith(directory) && (flags & constants.O_DIRECT) !== 0) count++;
  }
  return count;
}

describe('a large blob', () => {
  for (const [chunks, chunkBytes] of [
    ['chunks of 1 MB', [1000 * KIB + 1]],
    ['chunks of 64 KiB', [64 * KIB]],
    ['chunks of an odd length', [65_432]],
    ['chunks of 300 KiB', [300 * KIB]],
    ['alternating short and long chunks', [100 * KIB, 300 * KIB]],
    ['chunks of which the first direct one is short', [100 * KIB, ...new Array<number>(30).fill(300 * KIB)]],
  ] as const) {
    test(`is stored unchanged when written in ${chunks}`, async (t) => {
      const store = createFsStore({ root: await makeDirectory(t) });
      const bytes = sampleBytes(LONG);
      const writer = await store.create('aa/large');
      const chunk = new Uint8Array(Math.max(...chunkBytes));
      for (let turn = 0; writer.offset < LONG; turn++) {
        // The memory is reused, as the interface allows.
        const length = Math.min(chunkBytes[turn % chunkBytes.length]!, LONG - writer.offset);
        chunk.set(bytes.subarray(writer.offset, writer.offset + length));
        await writer.append(writer.offset, chunk.subarray(0, length));
        chunk.fill(0);
      }
      await writer.finish();
      await assertHolds(store, 'aa/large', bytes);
    });
  }

  test('can be resumed at any byte', async (t) => {
    const store = createFsStore({ root: await makeDirectory(t) });
    const bytes = sampleBytes(LONG);
    let writer = await store.create('aa/large');
    for (const end of [
      DIRECT_FROM + 1,
      DIRECT_FROM + 300 * KIB,
      DIRECT_FROM + MIB + 4096,
      DIRECT_FROM + 2 * MIB - 1,
      LONG,
    ]) {
      while (writer.offset < end)
        await writer.append(writer.offset, bytes.subarray(writer.offset, Math.min(end, writer.offset + 64 * KIB)));
      await writer.suspend();
      writer = await store.resume('aa/large', '');
      assert.equal(writer.offset, end);
    }
    await writer.finish();
    await assertHolds(store, 'aa/large', bytes);
  });

  test('bypasses the page cache and leaves no file open', async (t) => {
    const root = await makeDirectory(t);
    const store = createFsStore({ root });
    for (const end of ['finish', 'abort', 'suspend'] as const) {
      const writer = await store.create(`aa/${end}`);
      while (writer.offset < DIRECT_FROM) await writer.append(writer.offset, sampleBytes(64 * KIB));
      assert.equal(await countDirect(root), 0);
      while (writer.offset < DIRECT_FROM + MIB) await writer.append(writer.offset, sampleBytes(64 * KIB));
      assert.equal(await countDirect(root), 1);
      await writer[end]();
      assert.equal(await countDirect(root), 0);
    }
  });

  test('is stored unchanged at any size while other writers share the buffer pool', async (t) => {
    const store = createFsStore({ root: await makeDirectory(t) });
    const sizes = [0, 1, DIRECT_FROM - 1, DIRECT_FROM, DIRECT_FROM + 512 * KIB, DIRECT_FROM + MIB + 1];
    await Promise.all(
      sizes.flatMap((size) =>
        [1, 2].map(async (copy) => {
          const key = `aa/${size}-${copy}`;
          const bytes = sampleBytes(size).map((byte) => byte ^ copy);
          const writer = await store.create(key);
          while (writer.offset < size)
            await writer.append(writer.offset, bytes.subarray(writer.offset, writer.offset + 64 * KIB));
          await writer.finish();
          await assertHolds(store, key, bytes);
        }),
      ),
    );
  });
});

test('falls back to ordinary writes on a file system without direct writes', async (t) => {
  const { output, content } = await openOutput(t, '/dev/null');
  const bytes = sampleBytes(MIB);
  assert.equal(await output.switchToDirectIo(DIRECT_FROM), false);
  await output.write(bytes, 0);
  assert.deepEqual(await content(), Buffer.from(bytes));
});

test('falls back to ordinary writes for unaligned memory, lengths and positions', async (t) => {
  const { output, content } = await openOutput(t);
  const bytes = sampleBytes(MIB);
  assert.equal(await output.switchToDirectIo(DIRECT_FROM), true);
  const memory = new Uint8Array(MIB + 1);
  memory.set(bytes, 1);
  await output.write(memory.subarray(1, 64 * KIB + 1), 0);
  await output.write(bytes.subarray(64 * KIB, 64 * KIB + 10), 64 * KIB);
  await output.write(bytes.subarray(64 * KIB + 10), 64 * KIB + 10);
  await output.sync();
  assert.deepEqual(await content(), Buffer.from(bytes));
});
