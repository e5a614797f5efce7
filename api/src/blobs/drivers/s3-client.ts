// Makes the vendor's client. Its modules cost a third of a second, so that they are loaded only where files are kept
// on S3.

import type { GetObjectCommandInput, S3 } from '@aws-sdk/client-s3';

export interface S3ClientOptions {
  /** Such as `https://s3.example.org`. Default: Amazon's of the region. */
  endpoint?: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** `https://s3.example.org/bucket` instead of `https://bucket.s3.example.org`. */
  forcePathStyle: boolean;
  /**
   * `WHEN_SUPPORTED` adds a checksum to every request and checks those of answers, which servers beside Amazon's may
   * refuse.
   */
  checksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  timeouts?: Partial<S3Timeouts>;
}

export interface S3Timeouts {
  /** Until a connection stands. Default 5,000. */
  connectMs: number;
  /** Longest silence on a connection, while a body is sent, an answer is awaited or a body is read. Default 30,000. */
  silenceMs: number;
}

/** Signs the URL of one object, good for a while. */
export type SignUrl = (object: GetObjectCommandInput, expirySeconds: number) => Promise<string>;

const DEFAULT_TIMEOUTS: S3Timeouts = { connectMs: 5_000, silenceMs: 30_000 };

/**
 * The first try included. The SDK waits between them from 0.1 s on, longer each time; it does not repeat what was
 * refused for good.
 */
const MAX_ATTEMPTS = 4;

export async function createS3Client(options: S3ClientOptions): Promise<S3> {
  const { S3 } = await import('@aws-sdk/client-s3');
  const { connectMs, silenceMs } = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  return new S3({
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    region: options.region,
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey },
    forcePathStyle: options.forcePathStyle,
    requestChecksumCalculation: options.checksums,
    responseChecksumValidation: options.checksums,
    // Berth's own settings decide, never a profile in somebody's home directory.
    retryMode: 'standard',
    maxAttempts: MAX_ATTEMPTS,
    // Else every long part would wait for a connection of its own; its bytes are in memory and can be sent again.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silenceMs,
      // A download keeps its connection as long as its client reads: a limit would let slow clients stop everybody
      // else.
      httpAgent: { keepAlive: true, maxSockets: Infinity },
      httpsAgent: { keepAlive: true, maxSockets: Infinity },
    },
  });
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
