// Uploads a large file over the tus protocol: creates the upload, sends it in one request and resumes from the
// registry's offset after a lost connection. Only this module loads tus-js-client, and only when it is needed.

import { setTimeout as sleep } from 'node:timers/promises';
import { proxyOptions, type Artefact } from '@berth-registry/lib-node';
import type { DetailedError, HttpResponse, HttpStack } from 'tus-js-client';
import { isTransient, openSource, problemMessage, withIdleTimeout } from './tus-transport.ts';

export interface ResumableUpload {
  registryUrl: string;
  apiKey?: string | undefined;
  file: string;
  size: number;
  /** Fields of the upload form; undefined ones are omitted. */
  metadata: Record<string, string | undefined>;
  /** URL of an unfinished upload to resume. */
  url: string | undefined;
  /** Called with the URL of the upload that was created or resumed. */
  onUrl: (url: string) => void;
  onProgress: (bytesDone: number) => void;
  signal?: AbortSignal | undefined;
}

/** Delays between attempts. Progress resets the sequence. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 10_000, 30_000];

/**
 * Uploads the file and returns the published artefact.
 * @throws Error with the reason if the registry refuses the upload or all attempts fail
 */
export async function sendResumably(upload: ResumableUpload): Promise<Artefact> {
  const { DefaultHttpStack } = await import('tus-js-client');
  const httpStack = withIdleTimeout({
    getName: () => 'berth',
    createRequest: (method, url) =>
      new DefaultHttpStack({ ...proxyOptions(new URL(url)), signal: upload.signal }).createRequest(method, url),
  });
  try {
    return await fetchArtefact(upload, httpStack, await send(upload, httpStack));
  } catch (error) {
    if (!upload.signal?.aborted) throw error;
    throw new Error('interrupted: run the command again to continue', { cause: error });
  }
}

/** Sends the file and returns the URL of the upload. */
async function send(options: ResumableUpload, httpStack: HttpStack): Promise<string> {
  const { registryUrl, file, size, url, onUrl, onProgress, signal } = options;
  const { Upload } = await import('tus-js-client');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = (reason: unknown) => {
    // After abort, tus-js-client calls no more callbacks.
    void upload.abort();
    reject(reason);
  };
  const interrupt = () => {
    stop(signal?.reason);
  };
  const source = openSource(file, size, stop);
  // The types do not allow a path, which only fileReader receives.
  const upload = new Upload(file as never, {
    endpoint: `${registryUrl}/api/v1/uploads`,
    uploadUrl: url ?? null,
    headers: headersOf(options),
    metadata: metadataOf(options),
    retryDelays: RETRY_DELAYS_MS,
    onShouldRetry: ({ originalResponse }) => originalResponse === null || isTransient(originalResponse),
    onUploadUrlAvailable: () => {
      onUrl(upload.url ?? '');
    },
    onProgress,
    onSuccess: () => {
      resolve(upload.url ?? '');
    },
    onError: (error) => {
      reject(toError(error, registryUrl));
    },
    fileReader: { openFile: () => Promise.resolve(source) },
    httpStack,
  });
  signal?.throwIfAborted();
  signal?.addEventListener('abort', interrupt);
  upload.start();
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', interrupt);
    source.close();
  }
}

async function fetchArtefact(upload: ResumableUpload, httpStack: HttpStack, url: string): Promise<Artefact> {
  for (let failures = 0; ; failures++) {
    const request = httpStack.createRequest('GET', url);
    for (const [name, value] of Object.entries(headersOf(upload))) request.setHeader(name, value);
    const response = await request.send(null).catch((error: unknown) => error as Error);
    if (!(response instanceof Error) && !isTransient(response)) return parseArtefact(response, url);
    const delay = RETRY_DELAYS_MS[failures];
    if (delay === undefined) throw response instanceof Error ? response : new Error(problemMessage(response, url));
    await sleep(delay, undefined, upload.signal && { signal: upload.signal });
  }
}

function parseArtefact(response: HttpResponse, url: string): Artefact {
  if (response.getStatus() >= 400) throw new Error(problemMessage(response, url));
  const { artefact } = JSON.parse(response.getBody()) as { artefact?: Artefact };
  if (!artefact) throw new Error('the upload completed, but the response of the registry contains no artefact');
  return artefact;
}

function headersOf({ apiKey }: ResumableUpload): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-api-key': apiKey };
}

function metadataOf({ metadata }: ResumableUpload): Record<string, string> {
  const fields = Object.entries(metadata);
  return Object.fromEntries(fields.filter((field): field is [string, string] => field[1] !== undefined));
}

/** Makes a short error: the messages of tus-js-client include the whole request and response. */
function toError(error: Error | DetailedError, registryUrl: string): Error {
  const { originalResponse: response, causingError } = error as Partial<DetailedError>;
  if (!response) return causingError ?? error;
  const status = response.getStatus();
  if (status >= 400) return new Error(problemMessage(response, registryUrl), { cause: error });
  const detail = `${registryUrl} does not support resumable uploads (status ${status}): is it a registry?`;
  return new Error(detail, { cause: error });
}
