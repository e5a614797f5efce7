// Exports selected artefacts of a registry into a bundle, for mirrors without a network connection.

import { createHash } from 'node:crypto';
import { digestOf } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { documentOf, type UpstreamArtefact, type UpstreamSlot } from '../upstream/index.ts';
import { createBundleFile } from './bundle-file.ts';
import { blobName, MANIFEST, thumbnailName, type Manifest } from './bundle.ts';
import { BundleInvalidError } from './errors.ts';

/** A registry whose artefacts are exported. */
export interface BundleSource {
  /** Its base URL: the `origin` of the mirrors. */
  origin: string;
  /** Reads all its artefacts, and the reasons why some are unusable. */
  artefacts(patterns: readonly string[]): AsyncIterable<SourceArtefact>;
  bytes(artefact: UpstreamArtefact, slot: UpstreamSlot): Promise<AsyncIterable<Uint8Array>>;
  thumbnail(id: string): Promise<Uint8Array | undefined>;
}

export type SourceArtefact =
  | { artefact: UpstreamArtefact; /** Whether a pattern matches it. */ isMatch: boolean }
  | { id: string; reason: string };

export interface ExportOptions {
  source: BundleSource;
  /** Same syntax as the patterns of a remote registry; at least one. */
  patterns: readonly string[];
  /** Path of the file; an existing file is replaced once the new one is complete. */
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
  /** Artefacts that could not be exported, and why; the others are in the file. */
  failed: { id: string; reason: string }[];
}

/** Of all documents in a bundle: well below MAX_MANIFEST_BYTES, and little enough to hold in memory. */
const MAX_DOCUMENTS_LENGTH = 64 * 1024 * 1024;

/**
 * Writes the selected artefacts into one file. Each blob is written once, and its digest verified.
 * @throws the system error if the path cannot be written; the signal's reason
 */
export async function exportBundle({
  source,
  patterns,
  path,
  onProgress,
  signal,
}: ExportOptions): Promise<ExportReport> {
  const { selected, failed } = await select(source, patterns);
  const writer = await createBundleFile(path);
  const writtenNames = new Set<string>();
  const exported: Record<string, unknown>[] = [];
  const progress: BundleProgress = {
    phase: 'blobs',
    done: 0,
    total: selected.length,
    bytesDone: 0,
    bytesTotal: selected.reduce(
      (sum, { slots }) => sum + slots.reduce((size, slot) => size + (slot.sizeBytes ?? 0), 0),
      0,
    ),
  };
  try {
    for (const artefact of selected) {
      signal?.throwIfAborted();
      try {
        for (const slot of artefact.slots) await addSlot(artefact, slot);
        if (artefact.thumbnail) await addThumbnail(artefact.thumbnail.id);
        exported.push(toDocument(artefact));
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
      artefacts: exported,
    };
    await addBytes(MANIFEST, Buffer.from(JSON.stringify(manifest, null, 1)));
    return {
      path,
      origin: source.origin,
      artefacts: exported.length,
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
      throw new BundleInvalidError(
        'Its registry provides no digest or size: mirror it first, then export the mirror.',
      );
    const name = blobName(digest);
    if (!writtenNames.has(name))
      await writer.add(
        name,
        sizeBytes,
        verifyDigest(await source.bytes(artefact, slot), digest, signal, (count) => {
          progress.bytesDone += count;
          onProgress?.({ ...progress });
        }),
      );
    writtenNames.add(name);
  }

  async function addThumbnail(id: string): Promise<void> {
    const name = thumbnailName(id);
    const bytes = writtenNames.has(name) ? undefined : await source.thumbnail(id);
    if (!bytes) return;
    await addBytes(name, bytes);
    writtenNames.add(name);
  }

  async function addBytes(name: string, bytes: Uint8Array): Promise<void> {
    await writer.add(name, bytes.length, [bytes]);
  }
}

/** Passes the chunks on. @throws bundle_invalid at the end if they do not have this digest */
async function* verifyDigest(
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
    throw new BundleInvalidError('Its bytes are damaged, or changed during the export: export it again.');
}

/** Collects the selected artefacts. @throws bundle_invalid if their documents do not fit into a bundle */
async function select(source: BundleSource, patterns: readonly string[]) {
  const failed: ExportReport['failed'] = [];
  const selected: UpstreamArtefact[] = [];
  let length = 0;
  for await (const it of source.artefacts(patterns)) {
    if ('reason' in it) failed.push({ id: it.id, reason: it.reason });
    else if (it.isMatch) {
      selected.push(it.artefact);
      length += JSON.stringify(it.artefact).length;
    }
    if (length > MAX_DOCUMENTS_LENGTH)
      throw new BundleInvalidError('The documents of these artefacts are too large for one file: export fewer.');
  }
  return { selected, failed };
}

/** The document without the origin: a bundle names its own. */
function toDocument(artefact: UpstreamArtefact): Record<string, unknown> {
  return documentOf({ ...artefact, origin: undefined });
}
