// Opens the bytes of another registry's slots, with their size, ETag and digest.

import { fromReprDigest, type Digest } from '../digests/index.ts';
import { readBody, type UpstreamClient, type UpstreamResponse } from './client.ts';
import { RemoteAnswerInvalidError, RemoteRefusedError, RemoteUnavailableError } from './errors.ts';

export interface UpstreamSlot {
  architecture: string;
  /** Undefined if the registry gives none. */
  digest: Digest | undefined;
  sizeBytes: number | undefined;
  version: string | undefined;
  fileName: string | undefined;
  uploadedAt: string;
  hasNativeModules: boolean | undefined;
  hasInstallScripts: boolean | undefined;
  /** Route that serves its bytes. */
  route: 'tarball' | 'download';
}

export interface UpstreamBytes {
  offset: number;
  /** Of the complete slot; undefined if unknown. */
  sizeBytes: number | undefined;
  etag: string | undefined;
  /** Digest of the complete slot according to the registry. */
  digest: Digest | undefined;
  /** The consumer owns each chunk, and may free its memory. */
  chunks: AsyncIterable<Uint8Array>;
  end(): void;
}

export interface UpstreamSource {
  /**
   * Opens the bytes of a slot.
   * @param from where to resume, if the bytes still have this `etag`
   * @returns undefined for 404; its `offset` is where the bytes start: 0 if they could not be resumed
   */
  open(
    id: string,
    slot: UpstreamSlot,
    from: { offset: number; etag: string } | undefined,
    signal: AbortSignal,
  ): Promise<UpstreamBytes | undefined>;
}

const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_REASON_LENGTH = 300;

/**
 * Creates the byte source of one registry. `open` throws remote_unavailable, remote_refused, remote_answer_invalid.
 */
export function createSource({ get, route }: UpstreamClient): UpstreamSource {
  return {
    async open(id, slot, from, signal) {
      const query = slot.route === 'tarball' ? `?architecture=${encodeURIComponent(slot.architecture)}` : '';
      const headers = from && { 'range': `bytes=${from.offset}-`, 'if-range': from.etag };
      const response = await checkStatus(
        await get(route('artefacts', id, slot.route) + query, { ...(headers && { headers }), signal }),
      );
      return response && toBytes(response, from?.offset ?? 0, slot);
    },
  };
}

/** Returns a key for the bytes of a slot: slots with the same key have the same bytes. */
export function sourceOf({ digest, uploadedAt, sizeBytes }: UpstreamSlot): string {
  return digest ?? `${uploadedAt} ${sizeBytes ?? ''}`;
}

function toBytes(response: UpstreamResponse, requestedOffset: number, slot: UpstreamSlot): UpstreamBytes {
  const { status, headers, validators, chunks, discard } = response;
  const served = validators['x-artefact-architecture'];
  if (slot.route === 'tarball' && served !== undefined && served !== slot.architecture) {
    discard();
    throw new RemoteAnswerInvalidError(
      `The remote registry returned the slot ${served} instead of ${slot.architecture}.`,
    );
  }
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  const offset = status === 206 ? Number(start) : 0;
  if (status === 206 && offset !== requestedOffset) {
    discard();
    throw new RemoteAnswerInvalidError('The remote registry returned a different range from the one requested.');
  }
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const sizeBytes =
    total !== undefined && total !== '*' ? Number(total) : length === undefined ? undefined : offset + length;
  return {
    offset,
    sizeBytes,
    etag: strongEtag(validators.etag),
    digest: fromReprDigest(validators['repr-digest']) ?? fromReprDigest(headers['repr-digest']),
    chunks,
    end: discard,
  };
}

/** Checks the status of a response. @returns undefined for 404 @throws remote_refused, remote_unavailable */
export async function checkStatus(response: UpstreamResponse): Promise<UpstreamResponse | undefined> {
  const { status } = response;
  if (status === 200 || status === 206) return response;
  const body = await readBody(response, MAX_PROBLEM_BYTES).catch(() => Buffer.alloc(0));
  if (status === 404) return undefined;
  const reason = `The remote registry responded with ${status}${detailOf(body.toString('utf8'))}`;
  throw status >= 500 || status === 429 ? new RemoteUnavailableError(reason) : new RemoteRefusedError(reason);
}

/** Extracts the message of a problem document, for the administrator who has to fix it. */
function detailOf(text: string): string {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const message = typeof detail === 'string' ? detail : typeof title === 'string' ? title : '';
    return message === '' ? '.' : `: ${message.slice(0, MAX_REASON_LENGTH)}`;
  } catch {
    return '.';
  }
}

/** Weak ETags cannot be used for range requests (RFC 9110, 13.1.5). */
function strongEtag(etag: string | undefined): string | undefined {
  return etag?.startsWith('"') ? etag : undefined;
}
