// Bounds the requests to S3: a server that accepts connections and says nothing is noticed after two attempts.

import type { S3 } from '@aws-sdk/client-s3';

type Handler = S3['config']['requestHandler'];
/** The fields of the SDK's requests that are used here. */
interface Request {
  method: string;
  query: Record<string, unknown>;
  headers: Record<string, string>;
}

export interface BoundedHandlerOptions {
  /** Of requests without a large body. */
  reading: Handler;
  /** Of requests with a large body; limits how long their connection may be silent. */
  sending: Handler;
  /** How long `reading` waits until a response begins. */
  firstByteMs: number;
}

/** Larger bodies are limited by silence only, since sending them takes as long as the network needs. */
const SMALL_BODY_BYTES = 256 * 1024;
const SILENT_NAME = 'StorageSilentError';
/** Attempts that may time out. The first may have met a connection that had died. */
const MAX_TIMEOUTS = 2;

/** Makes `reading` pass requests with a large body to `sending`, and bounds both. */
export function createBoundedHandler({ reading, sending, firstByteMs }: BoundedHandlerOptions): Handler {
  const read = reading.handle.bind(reading);
  return Object.assign(reading, {
    async handle(request: Request, options: object = {}) {
      try {
        if (bodyBytesOf(request) > SMALL_BODY_BYTES) return await sending.handle(request, options);
        // Servers take minutes to join the parts of a large upload.
        return await read(request, { ...options, requestTimeout: isCompletion(request) ? 0 : firstByteMs });
      } catch (error) {
        throw isTimeout(error) && attemptOf(request) >= MAX_TIMEOUTS ? givingUp(error) : error;
      }
    },
  });
}

/** Checks for the error of a request that was given up because the server was silent. */
export function isSilent(error: unknown): boolean {
  return error instanceof Error && error.name === SILENT_NAME;
}

function bodyBytesOf({ headers }: Request): number {
  return Number(headers['content-length'] ?? 0);
}

function isCompletion({ method, query }: Request): boolean {
  return method === 'POST' && query['uploadId'] !== undefined;
}

/** The SDK gives broken connections the same name, but with the code of the system. */
function isTimeout(error: unknown): error is Error {
  const { name, code } = error as NodeJS.ErrnoException;
  return error instanceof Error && name === 'TimeoutError' && (code === undefined || code === 'ETIMEDOUT');
}

/** The number of the attempt, from 1, in the header that the SDK adds. */
function attemptOf({ headers }: Request): number {
  return Number(/attempt=(\d+)/.exec(headers['amz-sdk-request'] ?? '')?.[1] ?? 1);
}

/** Without a cause, in which the SDK would find the timeout and retry it. */
function givingUp({ message }: Error): Error {
  return Object.assign(new Error(`S3 did not answer twice: ${message}`), { name: SILENT_NAME });
}
