// Files that a registry stores on S3: it redirects downloads there.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { ensureArtefact, ensureArtefactFile, publishArtefact } from '../dist/index.js';
import type { EnsureArtefactFileOptions } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import { startProxy } from './support/proxy.ts';
import type { Proxy } from './support/proxy.ts';
import { s3Settings, s3Url } from './support/s3.ts';
import { makeDirectory } from './support/setting.ts';
import { describeTarball, incompressible, packPackage } from './support/tarballs.ts';
import type { Tarball } from './support/tarballs.ts';

const ID = '@acme/europe.pmtiles';

interface Setting {
  publish: (file: Tarball) => Promise<void>;
  options: EnsureArtefactFileOptions & { secretKey: string };
  registry: Proxy;
  storage: Proxy;
  /** Without the proxy. */
  berthUrl: string;
}

/** Starts a registry with its files on S3, each behind a proxy that records requests. */
async function setUp(t: TestContext): Promise<Setting> {
  const storage = await startProxy(t, s3Url());
  const berth = await startBerth(s3Settings(storage.url));
  t.after(async () => {
    await berth.close();
  });
  const registry = await startProxy(t, berth.url);
  return {
    registry,
    storage,
    berthUrl: berth.url,
    options: {
      registryUrl: registry.url,
      secretKey: berth.secretKey,
      artefactId: ID,
      cacheDir: await makeDirectory(t),
    },
    publish: async ({ bytes }) => {
      await publishArtefact({
        registryUrl: berth.url,
        secretKey: berth.secretKey,
        artefactId: ID,
        format: 'file',
        file: Readable.from([bytes]),
      });
      // From here on, only the library's requests are recorded.
      storage.requests.length = 0;
    },
  };
}

async function dateOf({ secretKey }: Setting['options'], berthUrl: string): Promise<string> {
  const { headers } = await fetch(`${berthUrl}/api/v1/artefacts/${encodeURIComponent(ID)}/download`, {
    method: 'HEAD',
    headers: { 'x-secret-key': secretKey },
  });
  return new Date(headers.get('last-modified') ?? '').toISOString();
}

function describeFile(seed: string): Tarball {
  return describeTarball(incompressible(3_000_000, seed));
}

test('a file is downloaded from S3 without credentials and verified; cache hits only ask the registry', async (t) => {
  const { publish, options, registry, storage, berthUrl } = await setUp(t);
  const one = describeFile('one');
  await publish(one);
  const first = await ensureArtefactFile(options);
  assert.deepEqual(first, {
    path: join(options.cacheDir, ID),
    dataUpdatedAt: await dateOf(options, berthUrl),
    digest: one.digest,
    downloaded: true,
    stale: false,
  });
  assert.deepEqual(await readFile(first.path), one.bytes);
  assert.deepEqual(
    storage.requests.map(({ method }) => method),
    ['GET'],
  );
  for (const { url, headers } of storage.requests) {
    assert.deepEqual(
      Object.keys(headers).filter((name) => /^(x-secret-key|x-api-key|authorization|cookie|x-account)$/.test(name)),
      [],
    );
    assert.ok(![url, ...Object.values(headers)].join().includes(options.secretKey));
  }
  assert.equal(registry.requests.length, 1);

  assert.deepEqual(await ensureArtefactFile(options), { ...first, downloaded: false });
  assert.deepEqual([registry.requests.length, storage.requests.length], [2, 1]);

  const two = describeFile('two');
  await publish(two);
  assert.deepEqual(await ensureArtefactFile(options), {
    ...first,
    dataUpdatedAt: await dateOf(options, berthUrl),
    digest: two.digest,
  });
  assert.deepEqual(await readFile(first.path), two.bytes);
});

test('a download from S3 resumes after a lost connection, and is verified', async (t) => {
  const { publish, options, registry, storage } = await setUp(t);
  const one = describeFile('one');
  await publish(one);
  storage.cut('', 1_000_000);
  const { path, digest } = await ensureArtefactFile(options);
  assert.equal(digest, one.digest);
  assert.deepEqual(await readFile(path), one.bytes);
  const again = registry.requests.at(-1);
  assert.match(again?.headers.range ?? '', /^bytes=[1-9]\d{4,6}-$/);
  assert.equal(again?.headers['if-range'], `"${one.digest}"`);
});

test('with S3_REDIRECT=false, the registry serves the file itself', async (t) => {
  const storage = await startProxy(t, s3Url());
  const berth = await startBerth({ ...s3Settings(storage.url), S3_REDIRECT: 'false' });
  t.after(async () => {
    await berth.close();
  });
  const one = describeFile('one');
  const at = { registryUrl: berth.url, secretKey: berth.secretKey, artefactId: ID };
  await publishArtefact({ ...at, format: 'file', file: Readable.from([one.bytes]) });
  const { path, digest } = await ensureArtefactFile({ ...at, cacheDir: await makeDirectory(t) });
  assert.equal(digest, one.digest);
  assert.deepEqual(await readFile(path), one.bytes);
});

test('a package on S3 is served by the registry', async (t) => {
  const { options, registry } = await setUp(t);
  const plugin = packPackage('1.0.0', { 'index.js': 'export default 1' });
  await publishArtefact({
    registryUrl: options.registryUrl,
    secretKey: options.secretKey,
    artefactId: 'plugin',
    file: Readable.from([plugin.bytes]),
  });
  registry.requests.length = 0;
  const { path, digest } = await ensureArtefact({ ...options, artefactId: 'plugin' });
  assert.equal(digest, plugin.digest);
  assert.equal(await readFile(join(path, 'index.js'), 'utf8'), 'export default 1');
  assert.equal(registry.requests.length, 2);
});
