// A root folder in an S3 bucket for one test, in the server that `npm test` started or else in one of this process.

import { randomBytes } from 'node:crypto';
import { S3 } from '@aws-sdk/client-s3';
import { startSwiftCluster } from './swift-cluster.ts';

export const TEST_BUCKET = 'berth-test';

export interface TestS3 {
  /** Settings of a Berth that keeps its files there, such as `S3_ENDPOINT`. */
  readonly env: Record<string, string>;
  /** Such as `test-3fa94c…`, below which nothing is yet. */
  readonly root: string;
  /** The server as it is, whatever the root. */
  readonly s3: S3;
  /**
   * Names all that lies below a prefix of the bucket, the root if none is given: objects, unfinished uploads, and
   * their parts.
   */
  leftovers(prefix?: string): Promise<string[]>;
  /** Removes all of it. */
  remove(): Promise<void>;
}

let server: Promise<{ url: URL; s3: S3 }> | undefined;

/** @throws Error that says what to install when there is no S3 server */
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

/** Creates the bucket of a run, which tests of other packages expect to be there. */
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

/** Where the server is: `http://127.0.0.1:40123`. */
export async function testS3Url(): Promise<string> {
  server ??= connect();
  return (await server).url.origin;
}

/** Sets the quota of a bucket, in bytes, or removes it: by Swift's own API, since S3 has none. */
export async function limitBucket(bucket: string, sizeBytes: number | undefined): Promise<void> {
  server ??= connect();
  const { url } = await server;
  const { headers } = await fetch(`${url.origin}/auth/v1.0`, {
    headers: { 'x-auth-user': decodeURIComponent(url.username), 'x-auth-key': url.password },
  });
  // Parts lie in a container of their own.
  for (const container of [bucket, `${bucket}+segments`]) {
    const { ok, status } = await fetch(`${headers.get('x-storage-url') ?? ''}/${container}`, {
      // Creates the container of the parts, which a bucket does not have before its first multipart upload.
      method: 'PUT',
      headers: {
        'x-auth-token': headers.get('x-auth-token') ?? '',
        'x-container-meta-quota-bytes': String(sizeBytes ?? ''),
      },
    });
    if (!ok) throw new Error(`the quota of ${container} was answered with ${status}`);
  }
}
