// A large file over the tus protocol: announced, sent in one request, and, where that is cut, gone on with from where the registry is.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Artefact } from '@berth-registry/lib-node';
import { askTus, CutError, type TusAnswer } from './tus-request.ts';

export interface ResumableUpload {
  registryUrl: string;
  apiKey?: string | undefined;
  file: string;
  size: number;
  /** Fields of the form; those that are undefined are left out. */
  metadata: Record<string, string | undefined>;
  /** Of one that was begun before. */
  url: string | undefined;
  /** Hears the URL of one that is begun. */
  onUrl: (url: string) => void;
  onProgress: (bytesDone: number) => void;
  signal?: AbortSignal | undefined;
}

/** Between attempts; each that brings bytes begins anew with the first. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 10_000, 30_000];

/** Sends all of the file and returns the artefact that it makes. @throws Error that says why the registry refuses it, or why it was given up */
export async function sendResumably(upload: ResumableUpload): Promise<Artefact> {
  const state: State = { url: upload.url, offset: 0, failures: 0 };
  for (;;) {
    try {
      return await attempt(upload, state);
    } catch (error) {
      if (upload.signal?.aborted) throw new Error('interrupted: run it again, it goes on where it stopped', { cause: error });
      const delay = error instanceof CutError ? RETRY_DELAYS_MS[state.failures++] : undefined;
      if (delay === undefined) throw error;
      // An interruption meanwhile shows at the next attempt.
      await sleep(delay, undefined, upload.signal && { signal: upload.signal }).catch(() => undefined);
    }
  }
}

/** What attempts leave to each other. */
interface State { url: string | undefined; offset: number; failures: number }

async function attempt(upload: ResumableUpload, state: State): Promise<Artefact> {
  const { file, size, onProgress, signal } = upload;
  const headers = headersOf(upload);
  const kept = state.url === undefined ? undefined : await offsetOf(upload, state.url);
  if (kept === undefined || state.url === undefined) {
    state.url = await create(upload);
    upload.onUrl(state.url);
  }
  const offset = kept ?? 0;
  if (offset > state.offset) state.failures = 0;
  state.offset = offset;
  if (offset < size) {
    check(await askTus({ method: 'PATCH', url: new URL(state.url), headers: { ...headers, 'upload-offset': offset }, part: { file, start: offset, size, onProgress }, signal }));
  }
  return published(upload, state.url);
}

/** How many bytes the registry has; undefined where it knows the upload no more, or will not say: the announcement of another says why. */
async function offsetOf(upload: ResumableUpload, url: string): Promise<number | undefined> {
  const answer = await askTus({ method: 'HEAD', url: new URL(url), headers: headersOf(upload), signal: upload.signal });
  if (isTransient(answer)) throw new CutError(sentenceOf(answer));
  const [offset, length] = [answer.headers['upload-offset'], answer.headers['upload-length']].map(Number);
  return answer.status < 300 && length === upload.size ? offset : undefined;
}

async function create(upload: ResumableUpload): Promise<string> {
  const endpoint = new URL(`${upload.registryUrl}/api/v1/uploads`);
  const metadata = Object.entries(upload.metadata).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${Buffer.from(value).toString('base64')}`])).join(',');
  const answer = check(await askTus({ method: 'POST', url: endpoint, headers: { ...headersOf(upload), 'upload-length': upload.size, 'upload-metadata': metadata, 'content-length': 0 }, signal: upload.signal }));
  const { location } = answer.headers;
  if (answer.status !== 201 || location === undefined) throw new Error(`${upload.registryUrl} takes no resumable uploads (${answer.status}): is this the address of a registry?`);
  return new URL(location, endpoint).href;
}

async function published(upload: ResumableUpload, url: string): Promise<Artefact> {
  const answer = check(await askTus({ method: 'GET', url: new URL(url), headers: headersOf(upload), signal: upload.signal }));
  const { artefact } = JSON.parse(answer.body) as { artefact?: Artefact };
  if (!artefact) throw new Error('the upload has ended, but the registry shows no artefact');
  return artefact;
}

function headersOf({ apiKey }: ResumableUpload): Record<string, string> { return apiKey === undefined ? {} : { 'x-api-key': apiKey }; }

/** @throws CutError for what another attempt may mend */
function check(answer: TusAnswer): TusAnswer {
  if (answer.status < 400) return answer;
  throw new (isTransient(answer) ? CutError : Error)(sentenceOf(answer));
}

/** The other end of a cut connection may hold the upload yet, or have more bytes of it than it said. */
function isTransient({ status, body }: TusAnswer): boolean { return status >= 500 || status === 423 || body.includes('upload_offset_conflict'); }

/** What a problem document says, for people. */
function sentenceOf({ status, body }: TusAnswer): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch { /* told below */ }
  return `the registry answered with ${status}`;
}
