// Federation without a network: chosen artefacts of a registry in one file, and that file as the registry that a mirror reads.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BerthError } from '../errors.ts';
import { createCarriage, indexCarriage, type CarriageEntry } from './carriage-file.ts';
import { CarriageInvalidError } from './errors.ts';
import { matches } from './operations.ts';
import { readUpstreamArtefact, type UpstreamArtefact } from './upstream-artefact.ts';
import type { UpstreamSlot } from './upstream-bytes.ts';
import type { Upstream } from './upstream.ts';

/** A registry whose artefacts are to be carried. */
export interface CarriageSource {
  /** Its address: the `origin` of the mirrors. */
  origin: string;
  /** Documents of all its artefacts, as its API shows them. */
  documents(): Promise<unknown[]>;
  bytes(artefact: UpstreamArtefact, slot: UpstreamSlot): Promise<AsyncIterable<Uint8Array>>;
  thumbnail(id: string): Promise<Uint8Array | undefined>;
}

export interface ExportOptions {
  source: CarriageSource;
  /** As those of a remote registry; at least one. */
  patterns: readonly string[];
  /** Path of the file; one that is there is replaced when the new one is whole. */
  path: string;
  onProgress?: ((progress: CarriageProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface CarriageProgress { phase: 'blobs'; done: number; total: number; bytesDone: number; bytesTotal: number }

export interface ExportReport {
  path: string;
  origin: string;
  artefacts: number;
  sizeBytes: number;
  /** What could not be taken along, and why; the rest is in the file. */
  failed: { id: string; reason: string }[];
}

/** A carriage file as a registry; `ids` are the artefacts in it. */
export interface Carriage { origin: string; createdAt: string; ids: string[]; upstream: Upstream }

interface Manifest { berthCarriage: 1; origin: string; createdAt: string; artefacts: Record<string, unknown>[] }

const MANIFEST = 'berth.json';
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** What is the business of each registry alone. */
const LOCAL_FIELDS = ['public', 'privateAccess', 'uploadedBy', 'createdAt', 'updatedAt', 'origin'];

/** Writes chosen artefacts into one file, each digest once and checked on the way. @throws the system's error of a path that cannot be written; the signal's reason */
export async function exportCarriage({ source, patterns, path, onProgress, signal }: ExportOptions): Promise<ExportReport> {
  const failed: ExportReport['failed'] = [];
  const chosen = (await source.documents()).flatMap((document) => {
    try {
      const artefact = readUpstreamArtefact(document);
      return patterns.some((pattern) => matches(pattern, artefact)) ? [{ document: withoutLocalFields(document), artefact }] : [];
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      failed.push({ id: String((document as { _id?: string } | null)?._id), reason: error.message });
      return [];
    }
  });
  const writer = await createCarriage(path);
  const written = new Set<string>();
  const taken: Record<string, unknown>[] = [];
  const progress: CarriageProgress = { phase: 'blobs', done: 0, total: chosen.length, bytesDone: 0, bytesTotal: chosen.reduce((sum, { artefact }) => sum + artefact.slots.reduce((size, slot) => size + (slot.sizeBytes ?? 0), 0), 0) };
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
    const manifest: Manifest = { berthCarriage: 1, origin: source.origin, createdAt: new Date().toISOString(), artefacts: taken };
    await addBytes(MANIFEST, Buffer.from(JSON.stringify(manifest, null, 1)));
    return { path, origin: source.origin, artefacts: taken.length, sizeBytes: (await writer.finish()).sizeBytes, failed };
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw error;
  }

  async function addSlot(artefact: UpstreamArtefact, slot: UpstreamSlot): Promise<void> {
    const { digest, sizeBytes } = slot;
    if (digest === undefined || sizeBytes === undefined) throw new CarriageInvalidError('Its registry tells no digest: mirror it first, and export the mirror.');
    if (!written.has(digest)) await writer.add(blobName(digest), sizeBytes, checked(await source.bytes(artefact, slot), digest, signal, (count) => {
      progress.bytesDone += count;
      onProgress?.({ ...progress });
    }));
    written.add(digest);
  }

  async function addThumbnail(id: string): Promise<void> {
    const bytes = written.has(thumbnailName(id)) ? undefined : await source.thumbnail(id);
    if (!bytes) return;
    await addBytes(thumbnailName(id), bytes);
    written.add(thumbnailName(id));
  }

  async function addBytes(name: string, bytes: Uint8Array): Promise<void> {
    await writer.add(name, bytes.length, (async function* once() { yield await Promise.resolve(bytes); })());
  }
}

/** Opens a carriage file; its `upstream` is to be closed. @throws carriage_invalid; the system's error of a path that cannot be read */
export async function openCarriage(path: string): Promise<Carriage> {
  const file = await open(path, 'r');
  try {
    const entries = await indexCarriage(file);
    const { origin, createdAt, artefacts } = await readManifest(entries.get(MANIFEST));
    const byId = new Map(artefacts.map((document) => readUpstreamArtefact(document)).map((artefact) => [artefact.id, artefact]));
    return { origin, createdAt, ids: [...byId.keys()], upstream: upstreamOf(byId, entries) };
  } catch (error) {
    await file.close();
    throw error;
  }

  async function readManifest(entry: CarriageEntry | undefined): Promise<Manifest> {
    if (!entry || entry.sizeBytes > MAX_MANIFEST_BYTES) throw new CarriageInvalidError('The file has no berth.json: it is none that berth remotes export has made.');
    const manifest = JSON.parse((await readAll(entry)).toString('utf8')) as Partial<Manifest>;
    if (manifest.berthCarriage !== 1 || typeof manifest.origin !== 'string' || !Array.isArray(manifest.artefacts)) throw new CarriageInvalidError('The file was made by a newer Berth: import it with one that is as new.');
    return manifest as Manifest;
  }

  async function readAll({ offset, sizeBytes }: CarriageEntry): Promise<Buffer> {
    const bytes = Buffer.alloc(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const { bytesRead } = await file.read(bytes, done, sizeBytes - done, offset + done);
      if (bytesRead === 0) throw new CarriageInvalidError('The file is cut short: copy it again.');
      done += bytesRead;
    }
    return bytes;
  }

  async function* readFrom({ offset, sizeBytes }: CarriageEntry, from: number): AsyncGenerator<Uint8Array> {
    for (let done = from; done < sizeBytes;) {
      const length = Math.min(READ_BYTES, sizeBytes - done);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset + done);
      if (bytesRead === 0) throw new CarriageInvalidError('The file is cut short: copy it again.');
      yield buffer.subarray(0, bytesRead);
      done += bytesRead;
    }
  }

  function upstreamOf(byId: ReadonlyMap<string, UpstreamArtefact>, entries: ReadonlyMap<string, CarriageEntry>): Upstream {
    return {
      page: () => Promise.resolve({ results: [], count: 0 }),
      all: () => Promise.resolve({ artefacts: [...byId.values()], unusable: new Map<string, string>() }),
      artefact: (id) => Promise.resolve(byId.get(id)),
      open: (_id, { digest = '' }, from) => {
        const entry = entries.get(blobName(digest));
        const offset = from?.offset ?? 0;
        return Promise.resolve(entry && { offset, sizeBytes: entry.sizeBytes, etag: `"${digest}"`, digest, chunks: readFrom(entry, offset), end: () => undefined });
      },
      async thumbnail(id) {
        const entry = entries.get(thumbnailName(id));
        return entry && { bytes: await readAll(entry), contentType: '' };
      },
      close: () => { file.close().catch(() => undefined); },
    };
  }
}

async function* checked(chunks: AsyncIterable<Uint8Array>, digest: string, signal: AbortSignal | undefined, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
    onBytes(chunk.length);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw new CarriageInvalidError('Its bytes are damaged, or have changed meanwhile: export it again.');
}

function withoutLocalFields(document: unknown): Record<string, unknown> {
  const { tarballs, ...fields } = document as { tarballs?: Record<string, Record<string, unknown>> };
  const kept = Object.fromEntries(Object.entries(fields).filter(([name]) => !LOCAL_FIELDS.includes(name)));
  return { ...kept, ...(tarballs && { tarballs: Object.fromEntries(Object.entries(tarballs).map(([name, slot]) => [name, { ...slot, uploadedBy: undefined }])) }) };
}

function blobName(digest: string): string { return `blobs/${digest.replace('sha256:', '')}`; }

function thumbnailName(id: string): string { return `thumbnails/${id}`; }
