// Lists the artefacts of a remote registry together with the state of their local mirrors, to select from.

import { enforce, policy, type Caller } from '../access/index.ts';
import type { Mirroring } from '../artefacts/index.ts';
import { RemoteAnswerInvalidError, THUMBNAIL_ID, type Upstream } from '../upstream/index.ts';
import { readPage } from './browse-page.ts';
import { ThumbnailIdInvalidError } from './errors.ts';
import type { ArtefactResult, Remote } from './remote.ts';
import type { RemoteListQuery } from './schemas.ts';

export interface RemoteBrowserOptions {
  find: (id: string) => Promise<Remote>;
  openUpstream: (remote: Remote) => Promise<Upstream>;
  mirroring: Mirroring;
  results: (remoteId: string) => Promise<ArtefactResult[]>;
}

/** As the list of a Berth: the size without a parameter, and the largest one. */
const DEFAULT_SIZE = 10;
const MAX_SIZE = 1000;
const IMAGE_TYPES = new Set(['image/webp', 'image/svg+xml', 'image/png', 'image/jpeg', 'image/gif', 'image/avif']);

export function createRemoteBrowser({ find, openUpstream, mirroring, results: resultsOf }: RemoteBrowserOptions) {
  async function withUpstream<T>(
    caller: Caller,
    id: string,
    work: (upstream: Upstream, remote: Remote) => Promise<T>,
  ): Promise<T> {
    enforce(policy.manageRemotes(caller));
    const remote = await find(id);
    return work(await openUpstream(remote), remote);
  }

  return {
    /**
     * Reads one page of the remote's artefacts as JSON, and counts those on all pages; includes deprecated ones only
     * if they are selected.
     * @throws remote_not_found, remote_unavailable, remote_refused, remote_answer_invalid
     */
    list: (caller: Caller, id: string, { skip = 0, size = DEFAULT_SIZE, ...filters }: RemoteListQuery) =>
      withUpstream(caller, id, async (upstream, remote): Promise<string> => {
        const results = new Map((await resultsOf(remote.id)).map((result) => [result.artefactId, result]));
        const mirrors = await mirroring.overview(remote.id);
        const { artefacts, count } = await readPage({
          upstream,
          filters,
          selectedIds: new Set(results.keys()),
          skip,
          size: Math.min(size, MAX_SIZE),
        });
        const listed = artefacts.map(({ id: artefactId, fingerprint, text }) => {
          const [mirror, result] = [mirrors.get(artefactId), results.get(artefactId)];
          const local = {
            synced: mirror !== undefined,
            upToDate: mirror !== undefined && result?.upstreamState === fingerprint,
            selected: result !== undefined,
            ...(mirror && { dataUpdatedAt: mirror.dataUpdatedAt }),
          };
          return `${text.slice(0, -1)},"local":${JSON.stringify(local)}}`;
        });
        return `{"results":[${listed.join(',')}],"count":${count}}`;
      }),

    /** Reads a thumbnail; undefined if the remote has none with this id. @throws as `list`; thumbnail_id_invalid */
    async thumbnail(
      caller: Caller,
      id: string,
      thumbnailId: string,
    ): Promise<{ bytes: Uint8Array; contentType: string } | undefined> {
      enforce(policy.manageRemotes(caller));
      if (!THUMBNAIL_ID.test(thumbnailId))
        throw new ThumbnailIdInvalidError('A thumbnail id has 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-".');
      const image = await withUpstream(caller, id, (upstream) => upstream.thumbnail(thumbnailId));
      if (image && !IMAGE_TYPES.has(image.contentType))
        throw new RemoteAnswerInvalidError('The response of the remote registry is not an image.');
      return image;
    },
  };
}
