// Downloads one body: hashed, kept in a partial file and handed to a sink in one pass, continued where it was cut.
// What the bytes become is the sink's business (fill.ts); which bytes to ask for is the document's (slots.ts).

import { createHash } from 'node:crypto';
import type { Answer } from './answer.ts';
import { RegistryError } from './errors.ts';
import type { PartFile } from './part-file.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import { createBackoff } from './retry.ts';

/** Takes the bytes in order, from the first. */
export interface Sink {
  write: (chunk: Uint8Array) => Promise<void>;
  /** Drops what it was given: the bytes begin anew, in another sink. May be called twice. */
  abort: () => Promise<void>;
}

export interface DownloadJob<S extends Sink> {
  registry: Registry;
  url: URL;
  artefactId: string;
  /** What the document says of the bytes. */
  digest: string | undefined;
  sizeBytes: number | undefined;
  part: PartFile;
  openSink: () => Promise<S>;
  onBytes: (bytesDone: number, bytesTotal: number | undefined) => void;
  signal: AbortSignal;
}

export interface Downloaded<S extends Sink> {
  digest: string;
  sizeBytes: number;
  sink: S;
}

/** The bytes from the first to where the download stands now. */
interface Transfer<S extends Sink> {
  sink: S;
  hash: ReturnType<typeof createHash>;
  bytesDone: number;
  bytesTotal: number | undefined;
  /** The strong validator that a range can continue with. */
  etag: string | undefined;
  /** The digest that the download's own headers promise. */
  promised: string | undefined;
}

/**
 * Downloads until the bytes are whole and have the digest that the answer promises, or else the document. The sink has
 * then been given everything and is the caller's.
 *
 * @returns undefined when the registry serves other bytes than the document says: it has moved and is to be read again
 * @throws RegistryError the last failure when transient ones, damaged bytes included (`digest_mismatch`), came too
 *   often /
 */
export async function download<S extends Sink>(job: DownloadJob<S>): Promise<Downloaded<S> | undefined> {
  const backoff = createBackoff(job.registry.retries, job.signal);
  let transfer = await beginTransfer(job);
  let isDelivered = false;
  let farthest = 0;
  const onAdvance = (): void => {
    if (transfer.bytesDone > farthest) backoff.reset();
    farthest = Math.max(farthest, transfer.bytesDone);
    job.onBytes(transfer.bytesDone, transfer.bytesTotal);
  };
  try {
    await takeUpPart(job, transfer);
    for (;;) {
      try {
        if (transfer.bytesDone !== transfer.bytesTotal) {
          const answer = await request(job, transfer);
          if (isOther(answer.digest, job.digest)) {
            await answer.discard();
            return undefined;
          }
          if (!continues(answer, transfer)) {
            if (answer.status !== 200) await answer.discard();
            if (transfer.bytesDone === 0) throw answer.unusable('is no download');
            transfer = await startOver(job, transfer);
            if (answer.status !== 200) continue;
          }
          await receive(job, transfer, answer, onAdvance);
        }
        const digest = `sha256:${transfer.hash.copy().digest('hex')}`;
        if (!isOther(digest, transfer.promised ?? job.digest)) {
          await job.part.flush();
          isDelivered = true;
          return { digest, sizeBytes: transfer.bytesDone, sink: transfer.sink };
        }
        const isPromise = transfer.promised !== undefined;
        transfer = await startOver(job, transfer);
        if (!isPromise) return undefined;
        throw digestMismatch(job.artefactId);
      } catch (error) {
        await backoff.wait(error);
      }
    }
  } finally {
    if (!isDelivered) await transfer.sink.abort();
  }
}

/** Makes the error of bytes that are not what the registry says they are. */
export function digestMismatch(artefactId: string): RegistryError {
  return new RegistryError(`the registry's bytes of ${artefactId} do not have the digest that it gives for them`, {
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
    promised: undefined,
  };
}

/** Takes up what an earlier process has left; the registry's ETag is its digest, quoted. */
async function takeUpPart<S extends Sink>(job: DownloadJob<S>, transfer: Transfer<S>): Promise<void> {
  if (job.digest === undefined) {
    await job.part.clear();
    return;
  }
  for await (const chunk of job.part.read()) {
    job.signal.throwIfAborted();
    await take(transfer, chunk);
  }
  Object.assign(transfer, { bytesTotal: job.sizeBytes, etag: `"${job.digest}"`, promised: job.digest });
}

async function startOver<S extends Sink>(job: DownloadJob<S>, transfer: Transfer<S>): Promise<Transfer<S>> {
  await transfer.sink.abort();
  await job.part.clear();
  return await beginTransfer(job);
}

async function request<S extends Sink>(job: DownloadJob<S>, { bytesDone, etag }: Transfer<S>): Promise<Answer> {
  const canContinue = bytesDone > 0 && etag !== undefined;
  const headers = {
    'accept-encoding': 'identity',
    ...(canContinue && { 'range': `bytes=${bytesDone}-`, 'if-range': etag }),
  };
  return await send(job.registry, job.url, { headers, signal: job.signal, artefactId: job.artefactId });
}

/** Tells whether the answer's first byte is the one that the transfer waits for. */
function continues<S extends Sink>(answer: Answer, { bytesDone }: Transfer<S>): boolean {
  return answer.status === 206 ? readRange(answer)?.start === bytesDone : answer.status === 200 && bytesDone === 0;
}

async function receive<S extends Sink>(
  job: DownloadJob<S>,
  transfer: Transfer<S>,
  answer: Answer,
  onAdvance: () => void,
): Promise<void> {
  transfer.bytesTotal = answer.status === 206 ? readRange(answer)?.total : readLength(answer);
  transfer.etag = answer.etag?.startsWith('"') ? answer.etag : undefined;
  transfer.promised = answer.digest;
  for await (const chunk of answer.chunks()) {
    await Promise.all([job.part.append(chunk), take(transfer, chunk)]);
    onAdvance();
  }
  transfer.bytesTotal ??= transfer.bytesDone;
  if (transfer.bytesDone < transfer.bytesTotal) {
    throw new RegistryError(`the download of ${job.artefactId} was cut short`, {
      status: 0,
      code: 'body_cut',
      artefactId: job.artefactId,
    });
  }
}

async function take<S extends Sink>(transfer: Transfer<S>, chunk: Uint8Array): Promise<void> {
  transfer.hash.update(chunk);
  transfer.bytesDone += chunk.length;
  await transfer.sink.write(chunk);
}

function isOther(found: string | undefined, expected: string | undefined): boolean {
  return found !== undefined && expected !== undefined && found !== expected;
}

function readLength(answer: Answer): number | undefined {
  const length = answer.headers.get('content-length');
  return length === null || answer.headers.has('content-encoding') ? undefined : Number(length);
}

/** Content-Range, RFC 9110 section 14.4: `bytes 100-199/1000`, the total may be `*`. */
function readRange(answer: Answer): { start: number; total: number | undefined } | undefined {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '') ?? [];
  return start === undefined ? undefined : { start: Number(start), total: total === '*' ? undefined : Number(total) };
}
