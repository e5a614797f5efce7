// Opens a bundle as an upstream registry, so that mirrors can read from it.

import { open } from 'node:fs/promises';
import { hexOf } from '../digests/index.ts';
import { readUpstreamArtefact, type Upstream, type UpstreamArtefact } from '../upstream/index.ts';
import { indexBundle, readEntry, type BundleEntry } from './bundle-file.ts';
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
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

export function blobName(digest: string): string {
  return `blobs/${hexOf(digest)}`;
}

export function thumbnailName(id: string): string {
  return `thumbnails/${id}`;
}

/** Opens a bundle. @throws bundle_invalid; the system error if the path cannot be read */
export async function openBundle(path: string): Promise<Bundle> {
  const file = await open(path, 'r');
  try {
    const entries = await indexBundle(file);
    const readAll = async (entry: BundleEntry): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of readEntry(file, entry)) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    const manifest = entries.get(MANIFEST);
    if (!manifest || manifest.sizeBytes > MAX_MANIFEST_BYTES)
      throw new BundleInvalidError('The file has no berth.json: it was not made by berth remotes export.');
    const { origin, createdAt, artefacts } = readManifest(await readAll(manifest));
    const byId = new Map<string, UpstreamArtefact>();
    for (const document of artefacts) {
      const artefact = readUpstreamArtefact(document);
      byId.set(artefact.id, artefact);
    }
    const upstream: Upstream = {
      page: () => Promise.resolve({ results: [], count: 0 }),
      all: () => Promise.resolve({ artefacts: [...byId.values()], unusable: new Map<string, string>() }),
      artefact: (id) => Promise.resolve(byId.get(id)),
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
        return entry && { bytes: await readAll(entry), contentType: '' };
      },
    };
    return { origin, createdAt, ids: [...byId.keys()], upstream, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readManifest(bytes: Buffer): Manifest {
  const manifest = JSON.parse(bytes.toString('utf8')) as Partial<Manifest>;
  if (manifest.berthBundle !== 1 || typeof manifest.origin !== 'string' || !Array.isArray(manifest.artefacts)) {
    throw new BundleInvalidError(
      'The file was made by a newer version of Berth: import it with that version or a later one.',
    );
  }
  return manifest as Manifest;
}
