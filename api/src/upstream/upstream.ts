// Main-thread side of reading other registries: calls the thread that parses their answers (read-worker.ts).

import type { BackgroundWorker } from '../workers/index.ts';
import type { Outbound } from '../outbound/index.ts';
import { createSource, type UpstreamSource } from './bytes.ts';
import { createUpstreamClient, type UpstreamAccess } from './client.ts';
import type { UpstreamArtefact } from './documents.ts';
import { RemoteAnswerInvalidError } from './errors.ts';
import { MAX_LISTED_ARTEFACTS, type UpstreamPage } from './listed.ts';
import type { FileList, FilePart, PageRequest, ReadApi, Thumbnail } from './read-worker.ts';

/** A registry, or a bundle. Its methods throw remote_unavailable, remote_refused, remote_answer_invalid. */
export interface Upstream extends UpstreamSource {
  /** For the worker thread to reach the same registry; undefined for a bundle. */
  readonly access?: UpstreamAccess;
  /** Reads one page of its list. */
  page(request: PageRequest, signal?: AbortSignal): Promise<UpstreamPage>;
  /** Lists all visible artefacts, deprecated ones too, page by page. */
  pages(request: Omit<PageRequest, 'query'>, signal?: AbortSignal): AsyncIterable<UpstreamPage>;
  /** Undefined if it does not exist or is not visible. */
  artefact(id: string, signal?: AbortSignal): Promise<UpstreamArtefact | undefined>;
  thumbnail(thumbnailId: string, signal?: AbortSignal): Promise<Thumbnail | undefined>;
}

export interface UpstreamReader {
  open(access: UpstreamAccess): Upstream;
  /** As ReadApi. @throws remote_answer_invalid */
  readFileList(part: FilePart, key: string): Promise<FileList>;
  readFileArtefact(part: FilePart): Promise<UpstreamArtefact>;
}

const PAGE_SIZE = 100;

export interface ReaderOptions {
  /** A thread that does nothing else: it may end at any time, which fails the calls in flight. */
  worker: BackgroundWorker<ReadApi>;
  /** For bytes that are read in this thread. */
  outbound: Pick<Outbound, 'get'>;
}

export function createReader({ worker, outbound }: ReaderOptions): UpstreamReader {
  let lastCall = 0;

  async function call<T>(
    work: (api: ReturnType<typeof worker.acquire>['api'], call: number) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const number = ++lastCall;
    const { api, hasCrashed, release } = worker.acquire();
    const abort = () => {
      api.abortRead.asEvent(number).catch(() => undefined);
    };
    signal?.addEventListener('abort', abort);
    try {
      return await work(api, number);
    } catch (error) {
      signal?.throwIfAborted();
      if (hasCrashed())
        throw new RemoteAnswerInvalidError('The response of the remote registry takes too much memory to read.', {
          cause: error,
        });
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      release();
    }
  }

  return {
    open(access) {
      const page: Upstream['page'] = (request, signal) =>
        call((api, number) => api.readPage(number, access, request), signal);
      return {
        access,
        page,
        pages: (request, signal) => readPages((query) => page({ ...request, query }, signal)),
        async artefact(id, signal) {
          const text = await call((api, number) => api.readArtefact(number, access, id), signal);
          return text === undefined ? undefined : (JSON.parse(text) as UpstreamArtefact);
        },
        open: createSource(createUpstreamClient(access, outbound)).open,
        thumbnail: (id, signal) => call((api, number) => api.readThumbnail(number, access, id), signal),
      };
    },
    readFileList: (part, key) => call((api) => api.readFileList(part, key)),
    readFileArtefact: async (part) => JSON.parse(await call((api) => api.readFileArtefact(part))) as UpstreamArtefact,
  };
}

/** Reads all pages. @throws remote_answer_invalid beyond MAX_LISTED_ARTEFACTS */
async function* readPages(
  read: (query: Record<string, string>) => Promise<UpstreamPage>,
): AsyncGenerator<UpstreamPage, void, undefined> {
  for (let skip = 0, count = 1; skip < count;) {
    const page = await read({ includeDeprecated: 'true', sort: 'name', size: String(PAGE_SIZE), skip: String(skip) });
    if (page.entries === 0) return;
    skip += page.entries;
    ({ count } = page);
    if (skip > MAX_LISTED_ARTEFACTS)
      throw new RemoteAnswerInvalidError(`The remote registry lists more than ${MAX_LISTED_ARTEFACTS} artefacts.`);
    yield page;
  }
}
