// Lists the artefacts of a remote registry together with the state of their local mirrors, to select from.

import { enforce, policy, type Caller } from '../access/index.ts';
import type { Mirroring } from '../artefacts/index.ts';
import {
  fingerprintOf,
  readUpstreamArtefact,
  RemoteAnswerInvalidError,
  THUMBNAIL_ID,
  type Upstream,
} from '../upstream/index.ts';
import { ThumbnailIdInvalidError } from './errors.ts';
import type { ArtefactResult, Remote } from './remote.ts';
import type { RemoteListQuery } from './schemas.ts';

export interface RemoteBrowserOptions {
  find: (id: string) => Promise<Remote>;
  openUpstream: (remote: Remote) => Promise<Upstream>;
  mirroring: Mirroring;
  results: (remoteId: string) => Promise<ArtefactResult[]>;
}

export interface RemoteArtefactPage {
  results: Record<string, unknown>[];
  count: number;
}

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
     * Reads one page of the remote's artefacts; includes deprecated ones only if they are selected.
     * @throws remote_not_found, remote_unavailable, remote_refused, remote_answer_invalid
     */
    list: (caller: Caller, id: string, query: RemoteListQuery): Promise<RemoteArtefactPage> =>
      withUpstream(caller, id, async (upstream, remote) => {
        const filters = Object.entries(query).map(([name, value]) => [name, String(value)] as const);
        const page = await upstream.page({ includeDeprecated: 'true', ...Object.fromEntries(filters) });
        const results = new Map((await resultsOf(remote.id)).map((result) => [result.artefactId, result]));
        const mirrors = await mirroring.overview(remote.id);
        const listed = page.results.flatMap((document) => {
          const artefact = tryRead(document);
          const result = artefact && results.get(artefact.id);
          if (!artefact || (artefact.deprecated && !result)) return [];
          const mirror = mirrors.get(artefact.id);
          const upToDate = mirror !== undefined && result?.upstreamState === fingerprintOf(artefact);
          return [
            {
              ...(document as Record<string, unknown>),
              local: {
                synced: mirror !== undefined,
                upToDate,
                selected: result !== undefined,
                ...(mirror && { dataUpdatedAt: mirror.dataUpdatedAt }),
              },
            },
          ];
        });
        return { results: listed, count: page.count - (page.results.length - listed.length) };
      }),

    /** Reads a thumbnail; undefined if the remote has none with this id. @throws as `list`; thumbnail_id_invalid */
    async thumbnail(
      caller: Caller,
      id: string,
      thumbnailId: string,
    ): Promise<{ bytes: Buffer; contentType: string } | undefined> {
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

/** Returns undefined for an invalid document: it cannot be selected either. */
function tryRead(document: unknown): ReturnType<typeof readUpstreamArtefact> | undefined {
  try {
    return readUpstreamArtefact(document);
  } catch (error) {
    if (error instanceof RemoteAnswerInvalidError) return undefined;
    throw error;
  }
}
