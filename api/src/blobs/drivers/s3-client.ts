// Creates the S3 client. The SDK takes a third of a second to load, so it is imported only when S3 is used.

import type { GetObjectCommandInput, S3 } from '@aws-sdk/client-s3';
import { boundedCredentials } from './s3-credentials.ts';
import { createBoundedHandler } from './s3-handler.ts';

export interface S3ClientOptions {
  /** Such as `https://s3.example.org`. Default: Amazon's endpoint of the region. */
  endpoint?: string;
  region: string;
  /** Default: the credentials that the environment gives, such as those of a role. */
  keys?: { accessKeyId: string; secretAccessKey: string };
  /** `https://s3.example.org/bucket` instead of `https://bucket.s3.example.org`. */
  forcePathStyle: boolean;
  /**
   * `WHEN_SUPPORTED` adds a checksum to every request and verifies those of responses. Servers other than Amazon's may
   * refuse that.
   */
  checksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  timeouts?: Partial<S3Timeouts>;
}

/** How long a server may be silent. After the second attempt that times out, the request fails. */
export interface S3Timeouts {
  /** Until a connection is open. Default 5,000. */
  connectMs: number;
  /** Until a response begins, unless the body of its request is large or it completes an upload. Default 5,000. */
  firstByteMs: number;
  /** While a large body is sent, and until its response begins. Default 10,000. */
  sendIdleMs: number;
  /** While the body of a response is read, and until an upload is completed. Default 30,000. */
  idleMs: number;
  /** Until the environment has given credentials, if no keys are configured. Default 10,000. */
  credentialsMs: number;
  /** How often a small request tells whether the server is silent, while a long one waits. Default 1,000. */
  watchMs: number;
}

/** Creates a presigned URL for one object. */
export type SignUrl = (object: GetObjectCommandInput, expirySeconds: number) => Promise<string>;

const DEFAULT_TIMEOUTS: S3Timeouts = {
  connectMs: 5_000,
  firstByteMs: 5_000,
  sendIdleMs: 10_000,
  idleMs: 30_000,
  credentialsMs: 10_000,
  watchMs: 1_000,
};

/**
 * Includes the first attempt. The SDK retries with back-off from 0.1 s, and does not retry permanent errors;
 * `createBoundedHandler` makes the second timeout permanent.
 */
const MAX_ATTEMPTS = 4;

/** @param bucket that requests to find out whether the server answers name */
export async function createS3Client(options: S3ClientOptions, bucket: string): Promise<S3> {
  const { S3 } = await import('@aws-sdk/client-s3');
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  // Clients without requests: the packages of the SDK's own handler and credentials are not ours.
  const configOf = (socketTimeout: number) =>
    new S3({
      region: options.region,
      requestHandler: {
        connectionTimeout: timeouts.connectMs,
        socketTimeout,
        throwOnRequestTimeout: true,
        // A download holds its connection for as long as its client reads: with a limit, slow clients would block all
        // others.
        httpAgent: { keepAlive: true, maxSockets: Infinity },
        httpsAgent: { keepAlive: true, maxSockets: Infinity },
      },
    }).config;
  const s3: S3 = new S3({
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    region: options.region,
    credentials:
      options.keys ?? boundedCredentials(configOf(timeouts.firstByteMs).credentials, timeouts.credentialsMs),
    forcePathStyle: options.forcePathStyle,
    requestChecksumCalculation: options.checksums,
    responseChecksumValidation: options.checksums,
    // Set here, so that no AWS profile in a home directory overrides it.
    retryMode: 'standard',
    maxAttempts: MAX_ATTEMPTS,
    // Otherwise every long part would wait for a connection of its own. Its bytes are in memory and can be resent.
    expectContinueHeader: false,
    requestHandler: createBoundedHandler({
      reading: configOf(timeouts.idleMs).requestHandler,
      sending: configOf(timeouts.sendIdleMs).requestHandler,
      firstByteMs: timeouts.firstByteMs,
      watchMs: timeouts.watchMs,
      probe: () => s3.headBucket({ Bucket: bucket }),
    }),
  });
  return s3;
}

export function createUrlSigner(s3: S3): SignUrl {
  return async (object, expirySeconds) => {
    const [{ GetObjectCommand }, { getSignedUrl }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('@aws-sdk/s3-request-presigner'),
    ]);
    return await getSignedUrl(s3, new GetObjectCommand(object), { expiresIn: expirySeconds });
  };
}
