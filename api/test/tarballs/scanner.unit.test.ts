import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createTarballScanner, SCAN_VERSION } from '../../src/tarballs/index.ts';
import { buildTar, buildTarball, npmTarball } from '../support/tarball-builder.ts';
import { LIMITS, MANIFEST, scanBytes } from './scan-bytes.ts';

const MIB = 1024 * 1024;

test('a package packed by npm is read completely', async () => {
  const tarball = await npmTarball({
    name: '@acme/import-gpkg',
    version: '1.2.3-beta.1',
    manifest: { license: 'MIT', registry: { category: 'processing' } },
    files: {
      'README.md': '# GeoPackage\n',
      'index.js': 'export {};\n',
      'node_modules/dep/package.json': { name: 'dep', version: '2.0.0', license: 'ISC' },
    },
  });
  const scan = await scanBytes(tarball);
  assert.equal(scan.scanVersion, SCAN_VERSION);
  assert.deepEqual(scan.manifest, {
    name: '@acme/import-gpkg',
    version: '1.2.3-beta.1',
    licence: 'MIT',
    category: 'processing',
  });
  assert.equal(scan.readme, '# GeoPackage\n');
  assert.deepEqual(scan.packages, [{ name: 'dep', version: '2.0.0', licence: 'ISC', path: 'node_modules/dep' }]);
  assert.deepEqual(
    scan.files.map(({ path, type, mode }) => ({ path, type, mode })),
    ['package.json', 'README.md', 'index.js', 'node_modules/dep/package.json'].map((path) => ({
      path,
      type: 'file',
      mode: 0o644,
    })),
  );
  assert.equal(
    scan.unpackedSizeBytes,
    scan.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  );
  assert.equal(scan.hasNativeModules, false);
  assert.equal(scan.hasInstallScripts, false);
});

test('files and the tarball have the digests that are known of them elsewhere', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-pack-'));
  context.after(() => {
    rmSync(folder, { recursive: true });
  });
  const files: Record<string, string | Buffer> = {
    'package.json': '{"name":"@acme/plugin","version":"1.0.0"}',
    'README.md': '# Plug-in',
    'data.bin': randomBytes(300_000),
    'empty.txt': '',
    'lib/index.js': 'export {};',
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const output = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: folder });
  const [packed] = JSON.parse(output.toString()) as [{ filename: string; integrity: string; shasum: string }];
  const scan = await scanBytes(readFileSync(join(folder, packed.filename)), { chunkBytes: 1000 });
  assert.equal(scan.integrity, packed.integrity);
  assert.equal(scan.shasum, packed.shasum);
  const digestOf = (content: string | Buffer) => createHash('sha256').update(content).digest('base64url');
  assert.deepEqual(
    Object.fromEntries(scan.files.map(({ path, sha256 }) => [path, sha256])),
    Object.fromEntries(Object.entries(files).map(([path, content]) => [path, digestOf(content)])),
  );
});

test('a scan gives the same result for any chunk size', async () => {
  const tarball = await buildTarball([
    MANIFEST,
    { path: `package/${'déjà-vu/'.repeat(90)}index.js`, content: randomBytes(3000) },
    { path: 'package/README.md', content: 'é'.repeat(2000) },
    {
      path: 'package/node_modules/dep/package.json',
      content: '{"name":"dep","version":"1.0.0","scripts":{"install":"node-gyp rebuild"}}',
    },
    { path: 'package/bin/run', type: 'SymbolicLink', linkpath: '../index.js' },
  ]);
  const whole = await scanBytes(tarball, { chunkBytes: tarball.length });
  assert.equal(whole.files.length, 5);
  for (const chunkBytes of [1, 7, 512]) assert.deepEqual(await scanBytes(tarball, { chunkBytes }), whole);
});

test('the index has the offset of each content in the inflated archive', async () => {
  const tar = buildTar([
    MANIFEST,
    { path: `package/${'long/'.repeat(40)}a.txt`, content: 'first' },
    { path: 'package/dir/' },
    { path: 'package/b.txt', content: 'second' },
  ]);
  const { files } = await scanBytes(gzipSync(tar));
  const contents = files
    .filter((file) => file.type === 'file')
    .map(({ offset, sizeBytes }) => tar.toString('utf8', offset, offset + sizeBytes));
  assert.deepEqual(contents, [MANIFEST.content, 'first', 'second']);
});

test('a gzip file of several members is one archive', async () => {
  const tar = buildTar([MANIFEST, { path: 'package/a.txt', content: 'a' }]);
  const scan = await scanBytes(Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]), {
    chunkBytes: 11,
  });
  assert.equal(scan.files.length, 2);
});

test('anything but gzip is rejected', async () => {
  const tar = buildTar([MANIFEST]);
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('hello'),
    tar,
    deflateSync(tar),
    brotliCompressSync(tar),
    Buffer.from('PK\x03\x04 a zip file'),
  ]) {
    await assert.rejects(scanBytes(bytes), { code: 'tarball_not_gzip', status: 400 });
  }
});

test('damaged gzip data is rejected', async () => {
  const tarball = await buildTarball([MANIFEST, { path: 'package/data', content: randomBytes(3000) }]);
  for (const at of [tarball.length >> 1, tarball.length - 8, tarball.length - 4]) {
    const damaged = Buffer.from(tarball);
    damaged.writeUInt8(tarball.readUInt8(at) ^ 1, at);
    await assert.rejects(scanBytes(damaged), { code: 'tarball_not_gzip' });
  }
});

test('data after the gzip stream is rejected, in the same chunk or later', async () => {
  const tarball = await buildTarball([MANIFEST]);
  const zeros = Buffer.alloc(600);
  const trailers = {
    'garbage': Buffer.from('garbage'),
    'garbage after zeros': Buffer.concat([zeros, Buffer.from('x')]),
  };
  for (const [name, trailer] of Object.entries(trailers)) {
    const bytes = Buffer.concat([tarball, trailer]);
    for (const chunkBytes of [1, tarball.length, tarball.length + 5, bytes.length - 1, bytes.length]) {
      await assert.rejects(
        scanBytes(bytes, { chunkBytes }),
        { code: 'tarball_not_gzip' },
        `${name}, chunks of ${chunkBytes}`,
      );
    }
  }
});

test('zeros after the gzip stream, which some programs pad with, are accepted', async () => {
  const tarball = await buildTarball([MANIFEST]);
  for (const zeros of [1, 5, 600, 70_000]) {
    const bytes = Buffer.concat([tarball, Buffer.alloc(zeros)]);
    for (const chunkBytes of [...(zeros < 1000 ? [1] : []), 64, tarball.length, tarball.length + 1, bytes.length])
      assert.equal((await scanBytes(bytes, { chunkBytes })).files.length, 1, `${zeros}, chunks of ${chunkBytes}`);
  }
});

test('a gzip file that is cut anywhere is rejected as truncated', async () => {
  const tarball = await buildTarball([MANIFEST, { path: 'package/data', content: randomBytes(3000) }]);
  for (let cut = 1; cut < tarball.length; cut += cut < 20 || cut > tarball.length - 20 ? 1 : 101) {
    await assert.rejects(
      scanBytes(tarball.subarray(0, cut)),
      { code: 'tarball_truncated', status: 400 },
      `cut at ${cut}`,
    );
  }
});

test('an archive may unpack to the limit but not beyond', async () => {
  const tar = buildTar([MANIFEST, { path: 'package/data', content: Buffer.alloc(MIB) }]);
  await scanBytes(gzipSync(tar), { maxUnpackedBytes: tar.length });
  await assert.rejects(scanBytes(gzipSync(tar), { maxUnpackedBytes: tar.length - 1 }), {
    code: 'tarball_too_large_unpacked',
    status: 413,
  });
});

test('a decompression bomb is rejected by the write that contains it', async () => {
  const member = gzipSync(Buffer.alloc(16 * MIB));
  const bomb = Buffer.concat([gzipSync(buildTar([MANIFEST])), ...Array.from({ length: 128 }, () => member)]);
  const scanner = createTarballScanner(LIMITS);
  await assert.rejects(scanner.write(bomb), { code: 'tarball_too_large_unpacked' });
});

test('the maximum number of entries is read, and one more is rejected', async () => {
  const tarball = await buildTarball([
    MANIFEST,
    { path: 'package/dir/' },
    { path: `package/${'long/'.repeat(40)}a`, content: 'a' },
  ]);
  assert.equal((await scanBytes(tarball, { maxTarEntries: 3 })).files.length, 3);
  await assert.rejects(scanBytes(tarball, { maxTarEntries: 2 }), { code: 'tarball_too_many_entries', status: 413 });
});

test('names that add up to more than 32 Mi characters are rejected', async () => {
  const entry = buildTar([{ path: `package/${'long-name/'.repeat(101)}` }], { endBlocks: false });
  const member = gzipSync(Buffer.concat(Array.from({ length: 1024 }, () => entry)), { level: 1 });
  const scanner = createTarballScanner({ maxUnpackedBytes: 1024 * MIB, maxTarEntries: 1_000_000 });
  for (let written = 0; written < 32; written++) await scanner.write(member);
  await assert.rejects(scanner.write(Buffer.concat([member, member])), { code: 'tarball_too_many_entries' });
});

test('the first error is thrown by the write that contains it and by all later calls', async () => {
  const scanner = createTarballScanner(LIMITS);
  await assert.rejects(scanner.write(await buildTarball([{ path: '../evil' }])), { code: 'tarball_unsafe_entry' });
  await assert.rejects(scanner.write(await buildTarball([MANIFEST])), { code: 'tarball_unsafe_entry' });
  await assert.rejects(scanner.finish(), { code: 'tarball_unsafe_entry' });
});

test('an empty chunk does not end the file', async () => {
  const tarball = await buildTarball([MANIFEST]);
  const scanner = createTarballScanner(LIMITS);
  for (const chunk of [
    new Uint8Array(0),
    tarball.subarray(0, 30),
    new Uint8Array(0),
    new Uint8Array(tarball.subarray(30)),
  ])
    await scanner.write(chunk);
  assert.equal((await scanner.finish()).manifest.version, '1.0.0');
});

test('an aborted scan rejects pending and later calls', async () => {
  const tarball = await buildTarball([MANIFEST, { path: 'package/data', content: Buffer.alloc(8 * MIB) }]);
  const scanner = createTarballScanner(LIMITS);
  const pending = scanner.write(tarball);
  scanner.abort();
  await assert.rejects(pending, /aborted/);
  await assert.rejects(scanner.write(tarball), /aborted/);
  await assert.rejects(scanner.finish(), /aborted/);
});

test('aborting after the end changes nothing', async () => {
  const scanner = createTarballScanner(LIMITS);
  await scanner.write(await buildTarball([MANIFEST]));
  const { manifest } = await scanner.finish();
  scanner.abort();
  assert.equal(manifest.name, '@acme/plugin');
});

test('memory does not grow with the size of the tarball', async () => {
  const headers = buildTar([MANIFEST, { path: 'package/README.md', size: 512 * MIB }], { endBlocks: false });
  const member = gzipSync(Buffer.alloc(16 * MIB), { level: 1 });
  const scanner = createTarballScanner({ ...LIMITS, maxUnpackedBytes: 1024 * MIB });
  await scanner.write(gzipSync(headers));
  const memoryBefore = memoryBytes();
  let maxGrowth = 0;
  for (let written = 0; written < 32; written++) {
    await scanner.write(member);
    maxGrowth = Math.max(maxGrowth, memoryBytes() - memoryBefore);
  }
  const { unpackedSizeBytes, readme } = await scanner.finish();
  assert.ok(unpackedSizeBytes > 512 * MIB);
  assert.equal(readme, '');
  assert.ok(maxGrowth < 128 * MIB, `${maxGrowth} bytes`);
});

function memoryBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
