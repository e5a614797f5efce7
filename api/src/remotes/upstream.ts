// Another registry as its mirrors see it: lists, documents, bytes, thumbnails.

import { RemoteAnswerInvalidError, RemoteRefusedError, RemoteUnavailableError } from './errors.ts';
import { readUpstreamArtefact, type UpstreamArtefact, type UpstreamSlot } from './upstream-artefact.ts';
import { connectUpstream, readBody, readChunks, type UpstreamAnswer } from './upstream-request.ts';

export interface Upstream {
  /** One page of its list, as it stands there. */
  page(query: Record<string, string>): Promise<{ results: unknown[]; count: number }>;
  /** All that it shows us, deprecated artefacts too; `unusable` tells what cannot be read, by id where it has one. */
  all(signal: AbortSignal): Promise<{ artefacts: UpstreamArtefact[]; unusable: Map<string, string> }>;
  /** Undefined when it does not show us any. */
  artefact(id: string, signal?: AbortSignal): Promise<UpstreamArtefact | undefined>;
  /**
   * Opens the bytes of a slot.
   * @param from continues there, if the bytes are still those of `etag`
   * @returns `offset`: where they begin, which is 0 when they could not be continued; undefined when there are none
   */
  open(id: string, slot: UpstreamSlot, from: { offset: number; etag: string } | undefined, signal: AbortSignal): Promise<UpstreamBytes | undefined>;
  thumbnail(thumbnailId: string, signal?: AbortSignal): Promise<{ bytes: Buffer; contentType: string } | undefined>;
  close(): void;
}

export interface UpstreamBytes {
  offset: number;
  /** Of the whole; undefined where it is not told. */
  sizeBytes: number | undefined;
  etag: string | undefined;
  /** What the registry says of the whole. */
  digest: string | undefined;
  chunks: AsyncIterable<Uint8Array>;
  end(): void;
}

export interface UpstreamOptions {
  url: string;
  apiKey: string | undefined;
  /** For how long it may keep silent. */
  timeoutMs: number;
}

const PAGE_SIZE = 1000;
const MAX_JSON_BYTES = 256 * 1024 * 1024;
const MAX_THUMBNAIL_BYTES = 5 * 1024 * 1024;
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_REASON_LENGTH = 300;

/** Makes the view of one registry. All methods throw remote_unavailable, remote_refused, remote_answer_invalid. */
export function createUpstream({ url, apiKey, timeoutMs }: UpstreamOptions): Upstream {
  const connection = connectUpstream(url, apiKey === undefined ? {} : { 'x-api-key': apiKey }, timeoutMs);
  const route = (...parts: string[]) => [`${url}/api/v1`, ...parts.map(encodeURIComponent)].join('/');

  /** @returns undefined for 404 */
  async function json(target: string, signal?: AbortSignal): Promise<unknown> {
    const answer = await accepted(await connection.get(target, { headers: { accept: 'application/json' }, signal }));
    if (!answer) return undefined;
    try {
      return JSON.parse((await readBody(answer, MAX_JSON_BYTES)).toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new RemoteAnswerInvalidError('The remote registry answers with what is no JSON: is this the address of a registry?', { cause: error });
    }
  }

  async function page(query: Record<string, string>, signal?: AbortSignal): Promise<{ results: unknown[]; count: number }> {
    const list = await json(`${route('artefacts')}?${new URLSearchParams(query).toString()}`, signal) as { results?: unknown; count?: unknown } | undefined;
    if (!list || !Array.isArray(list.results) || typeof list.count !== 'number') throw new RemoteAnswerInvalidError('The remote registry answers with what is no list of artefacts: is this the address of a registry?');
    return { results: list.results, count: list.count };
  }

  return {
    page,
    async all(signal) {
      const byId = new Map<string, UpstreamArtefact>();
      const unusable = new Map<string, string>();
      for (let skip = 0; ;) {
        const { results, count } = await page({ includeDeprecated: 'true', sort: 'name', size: String(PAGE_SIZE), skip: String(skip) }, signal);
        for (const document of results) {
          try {
            const artefact = readUpstreamArtefact(document);
            byId.set(artefact.id, artefact);
          } catch (error) {
            if (!(error instanceof RemoteAnswerInvalidError)) throw error;
            unusable.set(idIn(document), error.message);
          }
        }
        skip += results.length;
        if (results.length === 0 || skip >= count) return { artefacts: [...byId.values()], unusable };
      }
    },
    async artefact(id, signal) {
      const document = await json(route('artefacts', id), signal);
      return document === undefined ? undefined : readUpstreamArtefact(document);
    },
    async open(id, slot, from, signal) {
      const query = slot.route === 'tarball' ? `?architecture=${encodeURIComponent(slot.architecture)}` : '';
      const headers = from && { 'range': `bytes=${from.offset}-`, 'if-range': from.etag };
      const answer = await accepted(await connection.get(route('artefacts', id, slot.route) + query, { ...(headers && { headers }), signal }));
      return answer && toBytes(answer, from?.offset ?? 0, slot);
    },
    async thumbnail(thumbnailId, signal) {
      const answer = await accepted(await connection.get(route('thumbnails', thumbnailId, 'data'), { signal }));
      return answer && { bytes: await readBody(answer, MAX_THUMBNAIL_BYTES), contentType: answer.headers['content-type'] ?? '' };
    },
    close: () => { connection.close(); },
  };
}

function toBytes(answer: UpstreamAnswer, askedFrom: number, slot: UpstreamSlot): UpstreamBytes {
  const { status, headers, validators, body } = answer;
  const served = validators['x-artefact-architecture'];
  if (slot.route === 'tarball' && served !== undefined && served !== slot.architecture) {
    body.destroy();
    throw new RemoteAnswerInvalidError(`The remote registry gives the slot ${String(served)} in place of ${slot.architecture}.`);
  }
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  const offset = status === 206 ? Number(start) : 0;
  if (status === 206 && offset !== askedFrom) {
    body.destroy();
    throw new RemoteAnswerInvalidError('The remote registry answers with another range than it was asked for.');
  }
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const sizeBytes = total !== undefined && total !== '*' ? Number(total) : length === undefined ? undefined : offset + length;
  return {
    offset, sizeBytes,
    etag: strongEtag(validators.etag),
    digest: digestOf(validators['repr-digest']) ?? digestOf(headers['repr-digest']),
    chunks: readChunks(answer),
    end: () => { body.destroy(); },
  };
}

/** @returns undefined for 404 @throws remote_refused, remote_unavailable */
async function accepted(answer: UpstreamAnswer): Promise<UpstreamAnswer | undefined> {
  if (answer.status === 200 || answer.status === 206) return answer;
  const said = await readBody(answer, MAX_PROBLEM_BYTES).catch(() => Buffer.alloc(0));
  if (answer.status === 404) return undefined;
  const reason = `The remote registry answers with ${answer.status}${detailOf(said.toString('utf8'))}`;
  throw answer.status >= 500 || answer.status === 429 ? new RemoteUnavailableError(reason) : new RemoteRefusedError(reason);
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
function strongEtag(etag: string | undefined): string | undefined { return etag?.startsWith('"') ? etag : undefined; }

/** RFC 9530: `sha-256=:<base64>:`. */
function digestOf(header: string | string[] | undefined): string | undefined {
  const [, base64] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header ?? '')) ?? [];
  return base64 === undefined ? undefined : `sha256:${Buffer.from(base64, 'base64').toString('hex')}`;
}

function idIn(document: unknown): string {
  const id = (document as { _id?: unknown } | null)?._id;
  return typeof id === 'string' ? id : '';
}
