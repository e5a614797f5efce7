// Fixture: an S3 store with its own root in the test bucket.

import type { TestContext } from 'node:test';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { openS3Store, type S3StoreOptions } from '../../src/blobs/drivers/s3.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-proxy.ts';
import { createTestS3, TEST_BUCKET, testS3Url, type TestS3 } from '../support/s3.ts';
import type { BlobStoreFixture } from './contract/fixture.ts';

/** Long enough for a response on a busy machine, short enough to wait for. */
const IDLE_MS = 1500;
const NEVER_MS = 600_000;

export interface S3StoreFixture extends BlobStoreFixture {
  testS3: TestS3;
  openWith(options: Partial<S3StoreOptions>): Promise<BlobStore>;
}

export async function makeS3Store(): Promise<S3StoreFixture> {
  const testS3 = await createTestS3();
  const openWith = (options: Partial<S3StoreOptions>) =>
    openS3Store({
      endpoint: testS3.env['S3_ENDPOINT'] ?? '',
      region: 'us-east-1',
      bucket: TEST_BUCKET,
      root: testS3.root,
      forcePathStyle: true,
      keys: {
        accessKeyId: testS3.env['S3_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: testS3.env['S3_SECRET_ACCESS_KEY'] ?? '',
      },
      checksums: 'WHEN_REQUIRED',
      ...options,
    });
  return {
    testS3,
    openWith,
    open: () => openWith({}),
    leftovers: () => testS3.leftovers(),
    remove: () => testS3.remove(),
  };
}

/** Creates a store that reaches S3 through a proxy. Everything is removed at the end of the test. */
export async function makeS3StoreBehindProxy(
  t: TestContext,
  options: Partial<S3StoreOptions> = {},
): Promise<{ store: BlobStore; fixture: S3StoreFixture; proxy: S3Proxy }> {
  const fixture = await makeS3Store();
  const proxy = await startS3Proxy(await testS3Url());
  t.after(async () => {
    await proxy.close();
    await fixture.remove();
  });
  return {
    store: await fixture.openWith({
      endpoint: proxy.url,
      timeouts: { firstByteMs: IDLE_MS, sendIdleMs: IDLE_MS, idleMs: IDLE_MS, watchMs: NEVER_MS },
      ...options,
    }),
    fixture,
    proxy,
  };
}
