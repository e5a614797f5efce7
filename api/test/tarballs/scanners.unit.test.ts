import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import {
  createTarballScanners,
  type ScanApi,
  type TarballLimits,
  type TarballScan,
  type IngestScanner,
} from '../../src/tarballs/index.ts';
import { createWorker } from '../../src/workers/index.ts';
import { buildTar, buildTarball, type TarballEntry } from '../support/tarball-builder.ts';
import { LIMITS, MANIFEST, scanBytes } from './scan-bytes.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Makes a tarball too large to be scanned in place. */
const LARGE: TarballEntry = { path: 'package/data.bin', content: randomBytes(MIB) };

function startWorker() {
  const onError = (error: unknown) => {
    throw error;
  };
  return createWorker<ScanApi>({
    program: join(import.meta.dirname, '../../src/background-worker.ts'),
    data: undefined,
    onError,
  });
}

function startScanners(t: TestContext) {
  const worker = startWorker();
  t.after(() => worker.close());
  const scanners = createTarballScanners(worker);
  return (limits: Partial<TarballLimits> = {}) => scanners.create({ ...LIMITS, ...limits });
}

/** Feeds a tarball as an upload does, reusing the memory of each chunk for the next one. */
async function feed(scanner: IngestScanner, bytes: Uint8Array, chunkBytes = 64 * KIB): Promise<void> {
  const memory = new Uint8Array(chunkBytes);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes);
    memory.set(chunk);
    await scanner.write(memory.subarray(0, chunk.length));
    memory.fill(0);
  }
}

async function scan(scanner: IngestScanner, bytes: Uint8Array, chunkBytes?: number): Promise<TarballScan> {
  await feed(scanner, bytes, chunkBytes);
  return scanner.finish();
}

describe('a large tarball', () => {
  test('gives the same result as a small one, for any chunk size', async (t) => {
    const create = startScanners(t);
    const tarball = await buildTarball([MANIFEST, LARGE, { path: 'package/README.md', content: '# Été\n' }]);
    const expected = await scanBytes(tarball);
    for (const chunkBytes of [1000, 64 * KIB, 100 * KIB, 256 * KIB, 257 * KIB, tarball.length]) {
      assert.deepEqual(await scan(create(), tarball, chunkBytes), expected, `chunks of ${chunkBytes}`);
    }
  });

  test('is scanned concurrently with others', async (t) => {
    const create = startScanners(t);
    const tarballs = await Promise.all(
      Array.from({ length: 20 }, (_unused, index) =>
        buildTarball([MANIFEST, LARGE, { path: `package/${index}`, content: 'x' }]),
      ),
    );
    const scans = await Promise.all(tarballs.map((tarball) => scan(create(), tarball)));
    assert.deepEqual(
      scans.map(({ files }) => files.at(-1)?.path),
      tarballs.map((_tarball, index) => String(index)),
    );
  });

  const rejections: Record<string, [entries: TarballEntry[], code: string, limits?: Partial<TarballLimits>]> = {
    'with an unsafe entry at its end': [[MANIFEST, LARGE, { path: '../x', content: '' }], 'tarball_unsafe_entry'],
    'without a manifest': [[LARGE], 'manifest_missing'],
    'with too many entries': [
      [MANIFEST, LARGE, { path: 'package/x', content: '' }],
      'tarball_too_many_entries',
      { maxTarEntries: 2 },
    ],
    'that unpacks to too much': [[MANIFEST, LARGE], 'tarball_too_large_unpacked', { maxUnpackedBytes: 900 * KIB }],
  };
  for (const [why, [entries, code, limits]] of Object.entries(rejections)) {
    test(`${why} is rejected with the same error`, async (t) => {
      const create = startScanners(t);
      const tarball = await buildTarball(entries);
      await assert.rejects(scanBytes(tarball, limits), { code });
      const scanner = create(limits);
      await assert.rejects(scan(scanner, tarball), { code, name: code });
      await assert.rejects(scanner.write(new Uint8Array(1)), { code });
      await assert.rejects(scanner.finish(), { code });
    });
  }

  test('that is truncated, damaged or followed by other data is rejected', async (t) => {
    const create = startScanners(t);
    const tarball = await buildTarball([MANIFEST, LARGE]);
    await assert.rejects(scan(create(), tarball.subarray(0, -100)), { code: 'tarball_truncated' });
    await assert.rejects(scan(create(), Buffer.concat([tarball, Buffer.from('garbage')])), {
      code: 'tarball_not_gzip',
    });
    const damaged = Buffer.from(tarball);
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 8) ^ 1, damaged.length - 8);
    await assert.rejects(scan(create(), damaged), { code: 'tarball_not_gzip' });
  });

  test('is rejected as soon as an error is found, even if no more bytes arrive', async (t) => {
    const create = startScanners(t);
    const scanner = create();
    const tar = buildTar([MANIFEST, LARGE, { path: '../x', content: '' }]);
    const bytes = gzipSync(tar);
    // The gzip trailer is never sent.
    await feed(scanner, bytes.subarray(0, -8), 10_000);
    await assert.rejects(scanner.failed, { code: 'tarball_unsafe_entry' });
  });
});

/** JSON that takes long to parse for its size: arrays in arrays. */
const nested = (bytes: number) => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2);
const bundled = (count: number, content: string) =>
  Array.from({ length: count }, (_unused, index) => ({
    path: `package/node_modules/a${index}/package.json`,
    content,
  }));

describe('a small tarball', () => {
  /** Scans with a worker; returns the result, and whether the worker was needed. */
  async function scanSmall(tarball: Uint8Array, chunkBytes?: number): Promise<[TarballScan, boolean]> {
    assert.ok(tarball.length <= 256 * KIB, `${tarball.length}`);
    const worker = startWorker();
    let isUsed = false;
    const onWorker = () => (isUsed = true);
    process.on('worker', onWorker);
    try {
      return [await scan(createTarballScanners(worker).create(LIMITS), tarball, chunkBytes), isUsed];
    } finally {
      process.off('worker', onWorker);
      await worker.close();
    }
  }

  const costly: Record<string, TarballEntry[]> = {
    'that inflates to much': [MANIFEST, { path: 'package/zeros', content: Buffer.alloc(20 * MIB) }],
    'with much to parse': [MANIFEST, ...bundled(8, nested(100 * KIB))],
    'with a large manifest': [
      { path: 'package/package.json', content: JSON.stringify({ name: 'a', version: '1.0.0', x: 'x'.repeat(MIB) }) },
    ],
  };
  for (const [why, entries] of Object.entries(costly)) {
    test(`${why} is scanned in the worker thread, with the same result`, async () => {
      const tarball = gzipSync(buildTar(entries));
      const expected = await scanBytes(tarball);
      for (const chunkBytes of [100, 1000, tarball.length])
        assert.deepEqual(await scanSmall(tarball, chunkBytes), [expected, true], `chunks of ${chunkBytes}`);
    });
  }

  test('is scanned where it is received otherwise', async () => {
    const ordinary = gzipSync(
      buildTar([
        MANIFEST,
        ...bundled(50, JSON.stringify({ name: 'dep', version: '1.0.0', description: 'x'.repeat(2000) })),
        { path: 'package/index.js', content: 'export {};\n'.repeat(50_000) },
      ]),
    );
    assert.deepEqual(await scanSmall(ordinary), [await scanBytes(ordinary), false]);
  });
});

test('an aborted scan rejects pending calls, and does not disturb other scans', async (t) => {
  const create = startScanners(t);
  const tarball = await buildTarball([MANIFEST, LARGE]);
  const other = create();
  // While this thread is blocked, the worker finishes, but its message has not been received yet.
  for (const busyMs of [0, 1, 5, 200]) {
    const aborted = create();
    await feed(aborted, tarball);
    const finishing = aborted.finish();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
    aborted.abort();
    await assert.rejects(finishing, /aborted/);
  }
  assert.equal((await scan(other, tarball)).files.length, 2);
});

test('closing the worker fails running scans, and the next scan starts a new one', async () => {
  const worker = startWorker();
  const scanners = createTarballScanners(worker);
  const tarball = await buildTarball([MANIFEST, LARGE]);
  const scanner = scanners.create(LIMITS);
  await feed(scanner, tarball.subarray(0, 700 * KIB));
  await worker.close();
  await assert.rejects(scanner.failed, /has ended/);
  await assert.rejects(scanner.finish(), /has ended/);
  assert.equal((await scan(scanners.create(LIMITS), tarball)).files.length, 2);
  await worker.close();
  await worker.close();
});

test('a crashed worker thread fails its scans, and the next scan starts a new one', async (t) => {
  const create = startScanners(t);
  const tarball = await buildTarball([MANIFEST, LARGE]);
  const started = once(process, 'worker') as Promise<[Worker]>;
  const scanner = create();
  await feed(scanner, tarball.subarray(0, 700 * KIB));
  await (await started)[0].terminate();
  await assert.rejects(scanner.failed, /has ended/);
  await assert.rejects(scanner.write(tarball), /has ended/);
  assert.equal((await scan(create(), tarball)).files.length, 2);
});
