// API client for another registry: lists, documents, bytes and thumbnails.

import type { Outbound } from '../outbound/index.ts';
import { checkStatus, createSource, type UpstreamSource } from './bytes.ts';
import { createUpstreamClient, readBody, type UpstreamAccess } from './client.ts';
import { readUpstreamArtefact, type UpstreamArtefact } from './documents.ts';
import { RemoteAnswerInvalidError } from './errors.ts';

export interface Upstream extends UpstreamSource {
  /** For the worker thread to reach the same registry; undefined for a bundle. */
  readonly access?: UpstreamAccess;
  /** Reads one page of its list, unparsed. */
  page(query: Record<string, string>): Promise<{ results: unknown[]; count: number }>;
  /** Lists all visible artefacts, deprecated ones too. `unusable` has the reason for each invalid document, by id. */
  all(signal: AbortSignal): Promise<{ artefacts: UpstreamArtefact[]; unusable: Map<string, string> }>;
  /** Undefined if it does not exist or is not visible. */
  artefact(id: string, signal?: AbortSignal): Promise<UpstreamArtefact | undefined>;
  thumbnail(thumbnailId: string, signal?: AbortSignal): Promise<{ bytes: Buffer; contentType: string } | undefined>;
}

const PAGE_SIZE = 1000;
/** More than any registry has; protects the mirror against an endless list. */
const MAX_LISTED_ARTEFACTS = 200_000;
const MAX_JSON_BYTES = 256 * 1024 * 1024;
const MAX_THUMBNAIL_BYTES = 5 * 1024 * 1024;

/** Creates the client of one registry. All methods throw remote_unavailable, remote_refused, remote_answer_invalid. */
export function createUpstream(access: UpstreamAccess, outbound: Pick<Outbound, 'get'>): Upstream {
  const client = createUpstreamClient(access, outbound);
  const { route } = client;

  /** @returns undefined for 404 */
  async function json(target: string, signal?: AbortSignal): Promise<unknown> {
    const response = await checkStatus(await client.get(target, { headers: { accept: 'application/json' }, signal }));
    if (!response) return undefined;
    try {
      return JSON.parse((await readBody(response, MAX_JSON_BYTES)).toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new RemoteAnswerInvalidError(
        'The response of the remote registry is not JSON: check that its URL is the base URL of a registry.',
        { cause: error },
      );
    }
  }

  async function page(
    query: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<{ results: unknown[]; count: number }> {
    const list = (await json(`${route('artefacts')}?${new URLSearchParams(query).toString()}`, signal)) as
      { results?: unknown; count?: unknown } | undefined;
    if (!list || !Array.isArray(list.results) || typeof list.count !== 'number')
      throw new RemoteAnswerInvalidError(
        'The response of the remote registry is not a list of artefacts: ' +
          'check that its URL is the base URL of a registry.',
      );
    return { results: list.results, count: list.count };
  }

  return {
    access,
    page,
    open: createSource(client).open,
    async all(signal) {
      const byId = new Map<string, UpstreamArtefact>();
      const unusable = new Map<string, string>();
      for (let skip = 0; ;) {
        const { results, count } = await page(
          { includeDeprecated: 'true', sort: 'name', size: String(PAGE_SIZE), skip: String(skip) },
          signal,
        );
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
        if (skip > MAX_LISTED_ARTEFACTS) {
          throw new RemoteAnswerInvalidError(`The remote registry lists more than ${MAX_LISTED_ARTEFACTS} artefacts.`);
        }
        if (results.length === 0 || skip >= count) return { artefacts: [...byId.values()], unusable };
      }
    },
    async artefact(id, signal) {
      const document = await json(route('artefacts', id), signal);
      return document === undefined ? undefined : readUpstreamArtefact(document);
    },
    async thumbnail(thumbnailId, signal) {
      const response = await checkStatus(await client.get(route('thumbnails', thumbnailId, 'data'), { signal }));
      return (
        response && {
          bytes: await readBody(response, MAX_THUMBNAIL_BYTES),
          contentType: response.headers['content-type'] ?? '',
        }
      );
    },
  };
}

function idIn(document: unknown): string {
  const id = (document as { _id?: unknown } | null)?._id;
  return typeof id === 'string' ? id : '';
}
