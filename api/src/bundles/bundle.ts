// Opens a bundle as an upstream registry, so that mirrors can read from it.

import { open, type FileHandle } from 'node:fs/promises';
import { assertArtefactId } from '../artefacts/index.ts';
import { hexOf } from '../digests/index.ts';
import { RemoteAnswerInvalidError, type FilePart, type Upstream, type UpstreamReader } from '../upstream/index.ts';
import { DAMAGED, indexBundle, readEntry, type BundleEntry } from './bundle-file.ts';
import { BundleInvalidError } from './errors.ts';

export interface Bundle {
  origin: string;
  createdAt: string;
  /** Ids of its artefacts. */
  ids: string[];
  upstream: Upstream;
  close(): Promise<void>;
}

export interface Manifest {
  berthBundle: 1;
  origin: string;
  createdAt: string;
  artefacts: Record<string, unknown>[];
}

export const MANIFEST = 'berth.json';
export const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;
/** As of an upload. */
const MAX_THUMBNAIL_BYTES = 5 * 1024 * 1024;

export function blobName(digest: string): string {
  return `blobs/${hexOf(digest)}`;
}

export function thumbnailName(id: string): string {
  return `thumbnails/${id}`;
}

/**
 * Opens a bundle.
 * @param reader parses its manifest in a thread of its own
 * @throws bundle_invalid; the system error if the path cannot be read
 */
export async function openBundle(path: string, reader: Omit<UpstreamReader, 'open'>): Promise<Bundle> {
  const file = await open(path, 'r');
  try {
    const entries = await indexBundle(file);
    const manifest = entries.get(MANIFEST);
    if (!manifest || manifest.sizeBytes > MAX_MANIFEST_BYTES)
      throw new BundleInvalidError('The file has no berth.json: it was not made by berth remotes export.');
    const { origin, createdAt, artefacts, unusable } = await readManifest(reader, { path, ...manifest });
    const upstream: Upstream = {
      page: () => Promise.resolve({ count: 0, entries: 0, artefacts: [], unusable: [] }),
      pages: async function* () {
        yield await upstream.page({ query: {} });
      },
      artefact: async (id) => {
        const reason = unusable.get(id);
        if (reason !== undefined) throw new RemoteAnswerInvalidError(reason);
        const part = artefacts.get(id);
        return part && (await reader.readFileArtefact(part));
      },
      open: (_id, { digest }, from) => {
        const entry = digest && entries.get(blobName(digest));
        const offset = from?.offset ?? 0;
        return Promise.resolve(
          entry && {
            offset,
            sizeBytes: entry.sizeBytes,
            etag: `"${digest}"`,
            digest,
            chunks: readEntry(file, entry, offset),
            end: () => undefined,
          },
        );
      },
      async thumbnail(id) {
        const entry = entries.get(thumbnailName(id));
        return entry && entry.sizeBytes <= MAX_THUMBNAIL_BYTES
          ? { bytes: await readAll(file, entry), contentType: '' }
          : undefined;
      },
    };
    const ids = [...new Set([...artefacts.keys(), ...unusable.keys()])];
    return { origin, createdAt, ids, upstream, close: () => file.close() };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function readAll(file: FileHandle, entry: BundleEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readEntry(file, entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Reads where the documents of the artefacts are in the file, and why some are unusable, by id. */
async function readManifest(reader: Omit<UpstreamReader, 'open'>, part: FilePart) {
  const { envelope, artefacts, unusable } = await reader.readFileList(part, 'artefacts').catch((cause: unknown) => {
    if (!(cause instanceof RemoteAnswerInvalidError)) throw cause;
    throw new BundleInvalidError(DAMAGED, { cause });
  });
  const { berthBundle, origin, createdAt } = JSON.parse(envelope) as Partial<Manifest>;
  if (berthBundle !== 1 || typeof origin !== 'string' || typeof createdAt !== 'string') {
    throw new BundleInvalidError(
      'The file was made by a newer version of Berth: import it with that version or a later one.',
    );
  }
  for (const { id } of unusable) assertUsableId(id);
  return {
    origin,
    createdAt,
    artefacts: new Map(artefacts.map((it) => [it.listed.id, it.part])),
    unusable: new Map(unusable.map(({ id, reason }) => [id, reason])),
  };
}

/** The result of an artefact is stored under its id, also if nothing else of it is valid. */
function assertUsableId(id: string): void {
  try {
    assertArtefactId(id);
  } catch (cause) {
    throw new BundleInvalidError('The file describes an artefact without a valid id: export it again.', { cause });
  }
}
