// A root folder in an S3 bucket for one test, in the server of `npm test` or else in one that this process starts.

import { randomBytes } from 'node:crypto';
import { S3 } from '@aws-sdk/client-s3';
import { startSwiftCluster } from './swift-cluster.ts';

export const TEST_BUCKET = 'berth-test';

export interface TestS3 {
  /** Settings of a server that stores its files there, such as `S3_ENDPOINT`. */
  readonly env: Record<string, string>;
  /** Such as `test-3fa94c…`; empty at first. */
  readonly root: string;
  /** A client of the whole server. */
  readonly s3: S3;
  /** Lists objects, unfinished uploads and their parts below a prefix of the bucket; default the root. */
  leftovers(prefix?: string): Promise<string[]>;
  /** Deletes everything below the root. */
  remove(): Promise<void>;
}

let server: Promise<{ url: URL; s3: S3 }> | undefined;

/** Creates a root folder. @throws Error that says what to install if the S3 server is missing */
export async function createTestS3(): Promise<TestS3> {
  server ??= connect();
  const { url, s3 } = await server;
  const root = `test-${randomBytes(8).toString('hex')}`;
  return {
    root,
    s3,
    env: {
      FILES_STORAGE: 's3',
      S3_ENDPOINT: url.origin,
      S3_BUCKET: TEST_BUCKET,
      S3_FORCE_PATH_STYLE: 'true',
      S3_ROOT_DIR: root,
      S3_ACCESS_KEY_ID: decodeURIComponent(url.username),
      S3_SECRET_ACCESS_KEY: url.password,
    },
    leftovers: (prefix = `${root}/`) => listAll(s3, prefix),
    async remove() {
      const prefix = `${root}/`;
      const { Uploads = [] } = await s3.listMultipartUploads({ Bucket: TEST_BUCKET, Prefix: prefix });
      await Promise.all(
        Uploads.map(({ Key, UploadId }) => s3.abortMultipartUpload({ Bucket: TEST_BUCKET, Key, UploadId })),
      );
      const { Contents = [] } = await s3.listObjectsV2({ Bucket: TEST_BUCKET, Prefix: prefix });
      await Promise.all(Contents.map(({ Key }) => s3.deleteObject({ Bucket: TEST_BUCKET, Key })));
    },
  };
}

/** Creates the bucket of a test run, which tests of other packages expect. */
export async function createTestBucket(serverUrl: string): Promise<void> {
  (await connect(serverUrl)).s3.destroy();
}

async function connect(serverUrl?: string): Promise<{ url: URL; s3: S3 }> {
  const url = new URL(serverUrl ?? process.env.BERTH_TEST_S3_URL ?? (await startSwiftCluster()).url);
  const s3 = new S3({
    endpoint: url.origin,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: decodeURIComponent(url.username), secretAccessKey: url.password },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  // Another process of the same run may have been first.
  await s3.createBucket({ Bucket: TEST_BUCKET }).catch((error: unknown) => {
    if (!(error instanceof Error && error.name === 'BucketAlreadyOwnedByYou')) throw error;
  });
  return { url, s3 };
}

async function listAll(s3: S3, Prefix: string): Promise<string[]> {
  const [{ Contents = [] }, { Uploads = [] }] = await Promise.all([
    s3.listObjectsV2({ Bucket: TEST_BUCKET, Prefix }),
    s3.listMultipartUploads({ Bucket: TEST_BUCKET, Prefix }),
  ]);
  const parts = await Promise.all(
    Uploads.map(async ({ Key, UploadId }) => {
      const { Parts = [] } = await s3.listParts({ Bucket: TEST_BUCKET, Key, UploadId });
      return [`upload of ${Key}`, ...Parts.map(({ PartNumber }) => `part ${PartNumber} of ${Key}`)];
    }),
  );
  return [...Contents.map(({ Key }) => Key ?? ''), ...parts.flat()];
}

/** Origin of the server, such as `http://127.0.0.1:40123`. */
export async function testS3Url(): Promise<string> {
  server ??= connect();
  return (await server).url.origin;
}

/** Sets or removes the quota of a bucket, in bytes; through Swift's own API, since S3 has no quotas. */
export async function limitBucket(bucket: string, sizeBytes: number | undefined): Promise<void> {
  server ??= connect();
  const { url } = await server;
  const { headers } = await fetch(`${url.origin}/auth/v1.0`, {
    headers: { 'x-auth-user': decodeURIComponent(url.username), 'x-auth-key': url.password },
  });
  // Swift stores parts in a separate container.
  for (const container of [bucket, `${bucket}+segments`]) {
    const { ok, status } = await fetch(`${headers.get('x-storage-url') ?? ''}/${container}`, {
      // Also creates the container of the parts, which is missing before the first multipart upload.
      method: 'PUT',
      headers: {
        'x-auth-token': headers.get('x-auth-token') ?? '',
        'x-container-meta-quota-bytes': String(sizeBytes ?? ''),
      },
    });
    if (!ok) throw new Error(`setting the quota of ${container} failed with ${status}`);
  }
}
