// Federation without a network: chosen artefacts of a registry, in one file.

import { createHash } from 'node:crypto';
import { digestOf } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { matches } from '../patterns/index.ts';
import { readUpstreamArtefact, type UpstreamArtefact, type UpstreamSlot } from '../upstream/index.ts';
import { createBundleFile } from './bundle-file.ts';
import { blobName, MANIFEST, thumbnailName, type Manifest } from './bundle.ts';
import { BundleInvalidError } from './errors.ts';

/** A registry whose artefacts are exported. */
export interface BundleSource {
  /** Its address: the `origin` of the mirrors. */
  origin: string;
  /** Documents of all its artefacts, as its API shows them. */
  documents(): Promise<unknown[]>;
  bytes(artefact: UpstreamArtefact, slot: UpstreamSlot): Promise<AsyncIterable<Uint8Array>>;
  thumbnail(id: string): Promise<Uint8Array | undefined>;
}

export interface ExportOptions {
  source: BundleSource;
  /** As those of a remote registry; at least one. */
  patterns: readonly string[];
  /** Path of the file; one that is there is replaced when the new one is whole. */
  path: string;
  onProgress?: ((progress: BundleProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface BundleProgress {
  phase: 'blobs';
  done: number;
  total: number;
  bytesDone: number;
  bytesTotal: number;
}

export interface ExportReport {
  path: string;
  origin: string;
  artefacts: number;
  sizeBytes: number;
  /** What could not be taken along, and why; the rest is in the file. */
  failed: { id: string; reason: string }[];
}

/** What is the business of each registry alone. */
const LOCAL_FIELDS = ['public', 'privateAccess', 'uploadedBy', 'createdAt', 'updatedAt', 'origin'];

/**
 * Writes chosen artefacts into one file, each digest once and checked on the way.
 * @throws the system's error of a path that cannot be written; the signal's reason
 */
export async function exportBundle({
  source,
  patterns,
  path,
  onProgress,
  signal,
}: ExportOptions): Promise<ExportReport> {
  const failed: ExportReport['failed'] = [];
  const chosen = (await source.documents()).flatMap((document) => {
    try {
      const artefact = readUpstreamArtefact(document);
      return patterns.some((pattern) => matches(pattern, artefact))
        ? [{ document: withoutLocalFields(document), artefact }]
        : [];
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      failed.push({ id: String((document as { _id?: string } | null)?._id), reason: error.message });
      return [];
    }
  });
  const writer = await createBundleFile(path);
  const written = new Set<string>();
  const taken: Record<string, unknown>[] = [];
  const progress: BundleProgress = {
    phase: 'blobs',
    done: 0,
    total: chosen.length,
    bytesDone: 0,
    bytesTotal: chosen.reduce(
      (sum, { artefact }) => sum + artefact.slots.reduce((size, slot) => size + (slot.sizeBytes ?? 0), 0),
      0,
    ),
  };
  try {
    for (const { document, artefact } of chosen) {
      signal?.throwIfAborted();
      try {
        for (const slot of artefact.slots) await addSlot(artefact, slot);
        if (artefact.thumbnail) await addThumbnail(artefact.thumbnail.id);
        taken.push(document);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof BerthError)) throw error;
        failed.push({ id: artefact.id, reason: error.message });
      }
      progress.done++;
      onProgress?.({ ...progress });
    }
    const manifest: Manifest = {
      berthBundle: 1,
      origin: source.origin,
      createdAt: new Date().toISOString(),
      artefacts: taken,
    };
    await addBytes(MANIFEST, Buffer.from(JSON.stringify(manifest, null, 1)));
    return {
      path,
      origin: source.origin,
      artefacts: taken.length,
      sizeBytes: (await writer.finish()).sizeBytes,
      failed,
    };
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw error;
  }

  async function addSlot(artefact: UpstreamArtefact, slot: UpstreamSlot): Promise<void> {
    const { digest, sizeBytes } = slot;
    if (digest === undefined || sizeBytes === undefined)
      throw new BundleInvalidError('Its registry tells no digest: mirror it first, and export the mirror.');
    if (!written.has(digest))
      await writer.add(
        blobName(digest),
        sizeBytes,
        checked(await source.bytes(artefact, slot), digest, signal, (count) => {
          progress.bytesDone += count;
          onProgress?.({ ...progress });
        }),
      );
    written.add(digest);
  }

  async function addThumbnail(id: string): Promise<void> {
    const bytes = written.has(thumbnailName(id)) ? undefined : await source.thumbnail(id);
    if (!bytes) return;
    await addBytes(thumbnailName(id), bytes);
    written.add(thumbnailName(id));
  }

  async function addBytes(name: string, bytes: Uint8Array): Promise<void> {
    await writer.add(name, bytes.length, [bytes]);
  }
}

async function* checked(
  chunks: AsyncIterable<Uint8Array>,
  digest: string,
  signal: AbortSignal | undefined,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
    onBytes(chunk.length);
    yield chunk;
  }
  if (digestOf(hash) !== digest)
    throw new BundleInvalidError('Its bytes are damaged, or have changed meanwhile: export it again.');
}

function withoutLocalFields(document: unknown): Record<string, unknown> {
  const { tarballs, ...fields } = document as { tarballs?: Record<string, Record<string, unknown>> };
  const kept = Object.fromEntries(Object.entries(fields).filter(([name]) => !LOCAL_FIELDS.includes(name)));
  return {
    ...kept,
    ...(tarballs && {
      tarballs: Object.fromEntries(
        Object.entries(tarballs).map(([name, slot]) => [name, { ...slot, uploadedBy: undefined }]),
      ),
    }),
  };
}
