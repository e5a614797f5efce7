// A store of objects below a root of its own in the bucket of the tests.

import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { openS3Store, type S3StoreOptions } from '../../src/blobs/drivers/s3.ts';
import { createTestS3, TEST_BUCKET, type TestS3 } from '../support/s3.ts';
import type { BlobStoreFixture } from './driver-contract.ts';

export interface S3StoreFixture extends BlobStoreFixture {
  place: TestS3;
  openWith(options: Partial<S3StoreOptions>): Promise<BlobStore>;
}

export async function makeS3Store(): Promise<S3StoreFixture> {
  const place = await createTestS3();
  const openWith = (options: Partial<S3StoreOptions>) => openS3Store({
    endpoint: place.env['S3_ENDPOINT'] ?? '', region: 'us-east-1', bucket: TEST_BUCKET, root: place.root, forcePathStyle: true,
    accessKeyId: place.env['S3_ACCESS_KEY_ID'] ?? '', secretAccessKey: place.env['S3_SECRET_ACCESS_KEY'] ?? '', checksums: 'WHEN_REQUIRED',
    ...options,
  });
  return { place, openWith, open: () => openWith({}), leftovers: () => place.leftovers(), remove: () => place.remove() };
}
