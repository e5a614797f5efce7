// A large file over the tus protocol: announced, sent in one request and, where that is cut, continued from where the
// registry is. tus-js-client is loaded here alone, since no other command needs it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Artefact } from '@berth-registry/lib-node';
import type { DetailedError, HttpResponse, HttpStack } from 'tus-js-client';
import { isTransient, openSource, sentenceOf, withoutSilence } from './tus-transport.ts';

export interface ResumableUpload {
  registryUrl: string;
  apiKey?: string | undefined;
  file: string;
  size: number;
  /** Fields of the form; those that are undefined are left out. */
  metadata: Record<string, string | undefined>;
  /** Of one that was begun before. */
  url: string | undefined;
  /** Hears the URL of one that is begun or continued. */
  onUrl: (url: string) => void;
  onProgress: (bytesDone: number) => void;
  signal?: AbortSignal | undefined;
}

/** Between attempts; each that brings bytes begins anew with the first. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 10_000, 30_000];

/**
 * Sends all of the file and returns the artefact that it makes.
 * @throws Error that says why the registry refuses it, or why it was given up
 */
export async function sendResumably(upload: ResumableUpload): Promise<Artefact> {
  const { DefaultHttpStack } = await import('tus-js-client');
  const httpStack = withoutSilence(new DefaultHttpStack({ signal: upload.signal }));
  try {
    return await askForArtefact(upload, httpStack, await send(upload, httpStack));
  } catch (error) {
    if (!upload.signal?.aborted) throw error;
    throw new Error('interrupted: run it again, it goes on where it stopped', { cause: error });
  }
}

/** Returns the URL of the upload. */
async function send(options: ResumableUpload, httpStack: HttpStack): Promise<string> {
  const { registryUrl, file, size, url, onUrl, onProgress, signal } = options;
  const { Upload } = await import('tus-js-client');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = (reason: unknown) => {
    // It is silent from then on.
    void upload.abort();
    reject(reason);
  };
  const interrupt = () => {
    stop(signal?.reason);
  };
  const source = openSource(file, size, stop);
  // The types know no paths, which are for the reader alone.
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
      reject(reasonOf(error, registryUrl));
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

async function askForArtefact(upload: ResumableUpload, httpStack: HttpStack, url: string): Promise<Artefact> {
  for (let failures = 0; ; failures++) {
    const request = httpStack.createRequest('GET', url);
    for (const [name, value] of Object.entries(headersOf(upload))) request.setHeader(name, value);
    const answer = await request.send(null).catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && !isTransient(answer)) return artefactIn(answer);
    const delay = RETRY_DELAYS_MS[failures];
    if (delay === undefined) throw answer instanceof Error ? answer : new Error(sentenceOf(answer));
    await sleep(delay, undefined, upload.signal && { signal: upload.signal });
  }
}

function artefactIn(answer: HttpResponse): Artefact {
  if (answer.getStatus() >= 400) throw new Error(sentenceOf(answer));
  const { artefact } = JSON.parse(answer.getBody()) as { artefact?: Artefact };
  if (!artefact) throw new Error('the upload has ended, but the registry shows no artefact');
  return artefact;
}

function headersOf({ apiKey }: ResumableUpload): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-api-key': apiKey };
}

function metadataOf({ metadata }: ResumableUpload): Record<string, string> {
  const fields = Object.entries(metadata);
  return Object.fromEntries(fields.filter((field): field is [string, string] => field[1] !== undefined));
}

/** Why it failed, without the request and the answer, which tus-js-client tells as well. */
function reasonOf(error: Error | DetailedError, registryUrl: string): Error {
  const { originalResponse: answer, causingError } = error as Partial<DetailedError>;
  if (!answer) return causingError ?? error;
  const status = answer.getStatus();
  if (status >= 400) return new Error(sentenceOf(answer), { cause: error });
  const detail = `${registryUrl} takes no resumable uploads (${status}): is this the address of a registry?`;
  return new Error(detail, { cause: error });
}
