// Downloads one body in a single pass: hashes it, appends it to a partial file and writes it to a sink. Resumes after
// a lost connection. fill.ts and fill-file.ts provide the sink and say what to download.

import { createHash } from 'node:crypto';
import { RegistryError } from './errors.ts';
import type { PartFile } from './part-file.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import type { RegistryResponse } from './response.ts';
import { createBackoff } from './retry.ts';

/** Receives the bytes in order, from the first. */
export interface Sink {
  write: (chunk: Uint8Array) => Promise<void>;
  /** Discards the bytes received so far; a restart uses another sink. Can be called twice. */
  abort: () => Promise<void>;
}

export interface DownloadJob<S extends Sink> {
  registry: Registry;
  url: URL;
  artefactId: string;
  /** Digest of the bytes according to the document, if that was read. */
  digest: string | undefined;
  sizeBytes: number | undefined;
  part: PartFile;
  /** Digest of the representation that the bytes in `part` are from. */
  partDigest: string | undefined;
  /** Conditions of each request, `if-none-match` and `if-modified-since`; without any, 304 is an error. */
  conditions?: Record<string, string>;
  /** A response that has arrived already, to be used instead of the first request. */
  response?: RegistryResponse | undefined;
  /** Called with each response before its bytes. */
  onResponse?: (response: RegistryResponse) => Promise<void>;
  openSink: () => Promise<S>;
  onBytes: (bytesDone: number, bytesTotal: number | undefined) => void;
  signal: AbortSignal;
}

export interface DownloadResult<S extends Sink> {
  /** The last response; undefined if all bytes were there. With status 304, there are no bytes. */
  response: RegistryResponse | undefined;
  digest: string;
  sizeBytes: number;
  sink: S;
}

/** The bytes received so far, from the first. */
interface Transfer<S extends Sink> {
  sink: S;
  hash: ReturnType<typeof createHash>;
  bytesDone: number;
  bytesTotal: number | undefined;
  /** Strong validator for If-Range. */
  etag: string | undefined;
  /** Digest according to the headers of the download itself. */
  headerDigest: string | undefined;
  response: RegistryResponse | undefined;
}

/**
 * Downloads until the bytes are complete and have the digest of the response's headers, or else of the document. The
 * sink has then received all bytes and belongs to the caller.
 *
 * @returns undefined if the registry serves other bytes than the document says: the document must be read again
 * @throws RegistryError the last failure once the retries are used up; damaged bytes are retried (`digest_mismatch`)
 */
export async function download<S extends Sink>(job: DownloadJob<S>): Promise<DownloadResult<S> | undefined> {
  const backoff = createBackoff(job.registry.retries, job.signal);
  let transfer = await beginTransfer(job);
  let isDelivered = false;
  let maxBytesDone = 0;
  const onAdvance = (): void => {
    if (transfer.bytesDone > maxBytesDone) backoff.reset();
    maxBytesDone = Math.max(maxBytesDone, transfer.bytesDone);
    job.onBytes(transfer.bytesDone, transfer.bytesTotal);
  };
  try {
    await resumePart(job, transfer);
    for (;;) {
      try {
        if (transfer.bytesDone !== transfer.bytesTotal) {
          const response = await nextResponse(job, transfer);
          if (response.status === 304 && job.conditions !== undefined) return { ...describe(transfer), response };
          if (isComplete(response, transfer)) {
            await response.discard();
            transfer.bytesTotal = transfer.bytesDone;
            continue;
          }
          if (differs(response.digest, job.digest)) {
            await response.discard();
            return undefined;
          }
          if (!continues(response, transfer)) {
            if (response.status !== 200) await response.discard();
            if (transfer.bytesDone === 0) throw response.unusable('is not a download');
            transfer = await startOver(job, transfer);
            if (response.status !== 200) continue;
          }
          await receive(job, transfer, response, onAdvance);
        }
        const digest = `sha256:${transfer.hash.copy().digest('hex')}`;
        if (!differs(digest, transfer.headerDigest ?? job.digest)) {
          await job.part.flush();
          isDelivered = true;
          return describe(transfer);
        }
        const isDamaged = transfer.headerDigest !== undefined;
        transfer = await startOver(job, transfer);
        if (!isDamaged) return undefined;
        throw digestMismatch(job.artefactId);
      } catch (error) {
        await backoff.wait(error);
      }
    }
  } finally {
    if (!isDelivered) await transfer.sink.abort();
  }
}

/** Makes the error of bytes that do not have the digest that the registry states. */
export function digestMismatch(artefactId: string): RegistryError {
  return new RegistryError(`the downloaded bytes of ${artefactId} do not have the digest that the registry states`, {
    status: 200,
    code: 'digest_mismatch',
    artefactId,
  });
}

async function beginTransfer<S extends Sink>(job: DownloadJob<S>): Promise<Transfer<S>> {
  return {
    sink: await job.openSink(),
    hash: createHash('sha256'),
    bytesDone: 0,
    bytesTotal: undefined,
    etag: undefined,
    headerDigest: undefined,
    response: undefined,
  };
}

function describe<S extends Sink>({ sink, hash, bytesDone, response }: Transfer<S>): DownloadResult<S> {
  return { digest: `sha256:${hash.copy().digest('hex')}`, sizeBytes: bytesDone, sink, response };
}

/** Reads the partial file of an earlier attempt. The ETag is the quoted digest. */
async function resumePart<S extends Sink>(job: DownloadJob<S>, transfer: Transfer<S>): Promise<void> {
  if (job.partDigest === undefined) {
    await job.part.clear();
    return;
  }
  for await (const chunk of job.part.read()) {
    job.signal.throwIfAborted();
    await consume(transfer, chunk);
  }
  Object.assign(transfer, { bytesTotal: job.sizeBytes, etag: `"${job.partDigest}"`, headerDigest: job.partDigest });
}

async function startOver<S extends Sink>(job: DownloadJob<S>, transfer: Transfer<S>): Promise<Transfer<S>> {
  await transfer.sink.abort();
  await job.part.clear();
  return await beginTransfer(job);
}

/** Returns the response that has arrived already, at first, unless its bytes are there in part. */
async function nextResponse<S extends Sink>(job: DownloadJob<S>, transfer: Transfer<S>): Promise<RegistryResponse> {
  const { response } = job;
  job.response = undefined;
  if (response === undefined) return await request(job, transfer);
  if (transfer.bytesDone === 0 || differs(response.digest, job.partDigest)) return response;
  await response.discard();
  return await request(job, transfer);
}

async function request<S extends Sink>(
  job: DownloadJob<S>,
  { bytesDone, etag }: Transfer<S>,
): Promise<RegistryResponse> {
  const canResume = bytesDone > 0 && etag !== undefined;
  const headers = {
    'accept-encoding': 'identity',
    ...job.conditions,
    ...(canResume && { 'range': `bytes=${bytesDone}-`, 'if-range': etag }),
  };
  return await send(job.registry, job.url, { headers, signal: job.signal, artefactId: job.artefactId });
}

/** Tells whether the body starts at the next byte of the transfer. */
function continues<S extends Sink>(response: RegistryResponse, { bytesDone }: Transfer<S>): boolean {
  if (response.status === 206) return parseContentRange(response)?.start === bytesDone;
  return response.status === 200 && bytesDone === 0;
}

/** Tells whether the range is refused because the partial file has all bytes. */
function isComplete<S extends Sink>({ status, headers }: RegistryResponse, { bytesDone }: Transfer<S>): boolean {
  return status === 416 && bytesDone > 0 && headers.get('content-range') === `bytes */${bytesDone}`;
}

async function receive<S extends Sink>(
  job: DownloadJob<S>,
  transfer: Transfer<S>,
  response: RegistryResponse,
  onAdvance: () => void,
): Promise<void> {
  transfer.bytesTotal = response.status === 206 ? parseContentRange(response)?.total : parseLength(response);
  transfer.etag = response.etag?.startsWith('"') ? response.etag : undefined;
  transfer.headerDigest = response.digest;
  transfer.response = response;
  await job.onResponse?.(response);
  for await (const chunk of response.chunks()) {
    await Promise.all([job.part.append(chunk), consume(transfer, chunk)]);
    onAdvance();
  }
  transfer.bytesTotal ??= transfer.bytesDone;
  if (transfer.bytesDone < transfer.bytesTotal) {
    throw new RegistryError(`the download of ${job.artefactId} ended early`, {
      status: 0,
      code: 'body_cut',
      artefactId: job.artefactId,
    });
  }
}

async function consume<S extends Sink>(transfer: Transfer<S>, chunk: Uint8Array): Promise<void> {
  transfer.hash.update(chunk);
  transfer.bytesDone += chunk.length;
  await transfer.sink.write(chunk);
}

/** Tells whether two digests differ; an unknown one does not. */
function differs(actual: string | undefined, expected: string | undefined): boolean {
  return actual !== undefined && expected !== undefined && actual !== expected;
}

function parseLength(response: RegistryResponse): number | undefined {
  const length = response.headers.get('content-length');
  return length === null || response.headers.has('content-encoding') ? undefined : Number(length);
}

/** Parses Content-Range (RFC 9110 section 14.4): `bytes 100-199/1000`, where the total may be `*`. */
function parseContentRange(response: RegistryResponse): { start: number; total: number | undefined } | undefined {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  return start === undefined ? undefined : { start: Number(start), total: total === '*' ? undefined : Number(total) };
}
