// Bounds the requests to S3: a server that accepts connections and says nothing is noticed after two attempts.

import type { S3 } from '@aws-sdk/client-s3';

type Handler = S3['config']['requestHandler'];
/** The fields of the SDK's requests that are used here. */
interface Request {
  method: string;
  query: Record<string, unknown>;
  headers: Record<string, string>;
}

interface HandlerOptions {
  abortSignal?: AbortSignal;
}

export interface BoundedHandlerOptions {
  /** Of requests without a large body. */
  reading: Handler;
  /** Of requests with a large body; limits how long their connection may be silent. */
  sending: Handler;
  /** How long `reading` waits until a response begins. */
  firstByteMs: number;
  /** How often `probe` is called while a request waits that may take long. */
  watchMs: number;
  /** Sends a small request, through this handler. */
  probe: () => Promise<unknown>;
}

/** Larger bodies are limited by silence only, since sending them takes as long as the network needs. */
const SMALL_BODY_BYTES = 256 * 1024;
const SILENT_NAME = 'StorageSilentError';
/** Attempts that may time out. The first may have met a connection that had died. */
const MAX_TIMEOUTS = 2;

/**
 * Makes `reading` pass requests with a large body to `sending`, and bounds both. Those that may take long, since the
 * body is large or the server joins parts, are given up as soon as the server leaves a small request unanswered.
 */
export function createBoundedHandler({
  reading,
  sending,
  firstByteMs,
  watchMs,
  probe,
}: BoundedHandlerOptions): Handler {
  const read = reading.handle.bind(reading);
  let probing: Promise<boolean> | undefined;
  const isServerSilent = () =>
    (probing ??= probe()
      .then(() => false, isSilent)
      .finally(() => {
        probing = undefined;
      }));

  async function watched<T>(send: (options: object) => Promise<T>, options: HandlerOptions): Promise<T> {
    const silent = new AbortController();
    const timer = setInterval(() => {
      void isServerSilent().then((it) => {
        if (it) silent.abort();
      });
    }, watchMs);
    const { abortSignal } = options;
    try {
      return await send({
        ...options,
        abortSignal: abortSignal ? AbortSignal.any([abortSignal, silent.signal]) : silent.signal,
      });
    } catch (error) {
      throw silent.signal.aborted ? givingUp('a small request beside this one') : error;
    } finally {
      clearInterval(timer);
    }
  }

  return Object.assign(reading, {
    async handle(request: Request, options: HandlerOptions = {}) {
      try {
        if (bodyBytesOf(request) > SMALL_BODY_BYTES)
          return await watched((watchedOptions) => sending.handle(request, watchedOptions), options);
        // Servers take minutes to join the parts of a large upload.
        if (isCompletion(request))
          return await watched((watchedOptions) => read(request, { ...watchedOptions, requestTimeout: 0 }), options);
        return await read(request, { ...options, requestTimeout: firstByteMs });
      } catch (error) {
        throw isTimeout(error) && attemptOf(request) >= MAX_TIMEOUTS ? givingUp(error.message) : error;
      }
    },
  });
}

/** Checks for the error of a request that was given up because the server was silent. */
export function isSilent(error: unknown): error is Error {
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
function givingUp(what: string): Error {
  return Object.assign(new Error(`S3 did not answer twice: ${what}`), { name: SILENT_NAME });
}
