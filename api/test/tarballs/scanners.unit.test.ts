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
/** Beyond what is scanned in place. */
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

/** Feeds as an upload would, in memory that is used again for the next chunk. */
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
  test('is scanned as a small one is, whatever the chunks', async (t) => {
    const create = startScanners(t);
    const tarball = await buildTarball([MANIFEST, LARGE, { path: 'package/README.md', content: '# Été\n' }]);
    const expected = await scanBytes(tarball);
    for (const chunkBytes of [1000, 64 * KIB, 100 * KIB, 256 * KIB, 257 * KIB, tarball.length]) {
      assert.deepEqual(await scan(create(), tarball, chunkBytes), expected, `chunks of ${chunkBytes}`);
    }
  });

  test('is scanned beside twenty others', async (t) => {
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

  const refused: Record<string, [entries: TarballEntry[], code: string, limits?: Partial<TarballLimits>]> = {
    'with an unsafe entry at its end': [[MANIFEST, LARGE, { path: '../x', content: '' }], 'tarball_unsafe_entry'],
    'without a manifest': [[LARGE], 'manifest_missing'],
    'with too many entries': [
      [MANIFEST, LARGE, { path: 'package/x', content: '' }],
      'tarball_too_many_entries',
      { maxTarEntries: 2 },
    ],
    'that unpacks to too much': [[MANIFEST, LARGE], 'tarball_too_large_unpacked', { maxUnpackedBytes: 900 * KIB }],
  };
  for (const [why, [entries, code, limits]] of Object.entries(refused)) {
    test(`${why} is refused with the same error`, async (t) => {
      const create = startScanners(t);
      const tarball = await buildTarball(entries);
      await assert.rejects(scanBytes(tarball, limits), { code });
      const scanner = create(limits);
      await assert.rejects(scan(scanner, tarball), { code, name: code });
      await assert.rejects(scanner.write(new Uint8Array(1)), { code });
      await assert.rejects(scanner.finish(), { code });
    });
  }

  test('that ends too early, is damaged or is followed by something is refused', async (t) => {
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

  test('is refused as soon as that is known, though nothing more comes', async (t) => {
    const create = startScanners(t);
    const scanner = create();
    const tar = buildTar([MANIFEST, LARGE, { path: '../x', content: '' }]);
    const bytes = gzipSync(tar);
    // The last bytes, of gzip's own, never come.
    await feed(scanner, bytes.subarray(0, -8), 10_000);
    await assert.rejects(scanner.failed, { code: 'tarball_unsafe_entry' });
  });
});

test('an aborted scan ends what waits for it, and does not disturb the others', async (t) => {
  const create = startScanners(t);
  const tarball = await buildTarball([MANIFEST, LARGE]);
  const other = create();
  // While this thread is busy, the worker comes to the end, and nobody has heard of it yet.
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

test('closing ends the scans that are under way, and a scan after it starts anew', async () => {
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

test('a thread that breaks down fails its scans, and the next scan gets another one', async (t) => {
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
