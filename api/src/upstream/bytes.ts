// The bytes of another registry's slots, and what it says of them.

import { fromReprDigest, type Digest } from '../digests/index.ts';
import { readBody, type UpstreamClient, type UpstreamResponse } from './client.ts';
import { RemoteAnswerInvalidError, RemoteRefusedError, RemoteUnavailableError } from './errors.ts';

export interface UpstreamSlot {
  architecture: string;
  /** Undefined where the registry tells none. */
  digest: Digest | undefined;
  sizeBytes: number | undefined;
  version: string | undefined;
  fileName: string | undefined;
  uploadedAt: string;
  hasNativeModules: boolean | undefined;
  hasInstallScripts: boolean | undefined;
  /** Which route has its bytes. */
  route: 'tarball' | 'download';
}

export interface UpstreamBytes {
  offset: number;
  /** Of the whole; undefined where it is not told. */
  sizeBytes: number | undefined;
  etag: string | undefined;
  /** What the registry says of the whole. */
  digest: Digest | undefined;
  chunks: AsyncIterable<Uint8Array>;
  end(): void;
}

export interface UpstreamSource {
  /**
   * Opens the bytes of a slot.
   * @param from continues there, if the bytes are still those of `etag`
   * @returns `offset`: where they begin, which is 0 when they could not be continued; undefined when there are none
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
 * Makes the source of one registry's bytes. Its method throws remote_unavailable, remote_refused,
 * remote_answer_invalid.
 */
export function createSource({ get, route }: UpstreamClient): UpstreamSource {
  return {
    async open(id, slot, from, signal) {
      const query = slot.route === 'tarball' ? `?architecture=${encodeURIComponent(slot.architecture)}` : '';
      const headers = from && { 'range': `bytes=${from.offset}-`, 'if-range': from.etag };
      const answer = await accepted(
        await get(route('artefacts', id, slot.route) + query, { ...(headers && { headers }), signal }),
      );
      return answer && toBytes(answer, from?.offset ?? 0, slot);
    },
  };
}

/** Names the bytes of a slot: two slots with one name have equal bytes. */
export function sourceOf({ digest, uploadedAt, sizeBytes }: UpstreamSlot): string {
  return digest ?? `${uploadedAt} ${sizeBytes ?? ''}`;
}

function toBytes(answer: UpstreamResponse, askedFrom: number, slot: UpstreamSlot): UpstreamBytes {
  const { status, headers, validators, chunks, discard } = answer;
  const served = validators['x-artefact-architecture'];
  if (slot.route === 'tarball' && served !== undefined && served !== slot.architecture) {
    discard();
    throw new RemoteAnswerInvalidError(
      `The remote registry gives the slot ${served} in place of ${slot.architecture}.`,
    );
  }
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  const offset = status === 206 ? Number(start) : 0;
  if (status === 206 && offset !== askedFrom) {
    discard();
    throw new RemoteAnswerInvalidError('The remote registry answers with another range than it was asked for.');
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

/** @returns undefined for 404 @throws remote_refused, remote_unavailable */
export async function accepted(answer: UpstreamResponse): Promise<UpstreamResponse | undefined> {
  if (answer.status === 200 || answer.status === 206) return answer;
  const said = await readBody(answer, MAX_PROBLEM_BYTES).catch(() => Buffer.alloc(0));
  if (answer.status === 404) return undefined;
  const reason = `The remote registry answers with ${answer.status}${detailOf(said.toString('utf8'))}`;
  throw answer.status >= 500 || answer.status === 429
    ? new RemoteUnavailableError(reason)
    : new RemoteRefusedError(reason);
}

/** What its problem document says, for whoever has to put it right. */
function detailOf(text: string): string {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const said = typeof detail === 'string' ? detail : typeof title === 'string' ? title : '';
    return said === '' ? '.' : `: ${said.slice(0, MAX_REASON_LENGTH)}`;
  } catch {
    return '.';
  }
}

/** Weak ones are of no use for ranges. */
function strongEtag(etag: string | undefined): string | undefined {
  return etag?.startsWith('"') ? etag : undefined;
}
