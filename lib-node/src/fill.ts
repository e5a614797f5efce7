// Updates a package of the cache under its lock: one process downloads, the others wait and reuse its result.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sweepLeftovers } from './cache.ts';
import { digestMismatch, download } from './download.ts';
import { BuildError } from './errors.ts';
import { partName } from './layout.ts';
import { runLocked } from './lock.ts';
import type { Lock } from './lock.ts';
import type { Progress } from './options.ts';
import { openPartFile } from './part-file.ts';
import { routeUrl } from './registry.ts';
import { revalidate } from './revalidate.ts';
import type { CacheTarget, Lookup } from './revalidate.ts';
import type { Offer } from './slots.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** Attempts while the document changes between its reading and the download, before the download fails. */
const MAX_ATTEMPTS = 4;

export interface FillJob extends CacheTarget {
  /** State of the cache when the call started. */
  knownState: CacheState | undefined;
  /** Result of the registry for that state. */
  lookup: Lookup;
  signal: AbortSignal;
  report: (progress: Progress) => void;
}

export interface FillResult {
  entry: CacheEntry;
  downloaded: boolean;
}

/** Fills the store, unless another process has done so meanwhile. */
export async function fillStore(job: FillJob): Promise<FillResult> {
  const { slot } = job.store;
  await mkdir(slot.directory, { recursive: true });
  return await runLocked(slot.lockDirectory, job.signal, async (lock) => await fillLocked(job, lock));
}

async function fillLocked(job: FillJob, lock: Lock): Promise<FillResult> {
  const cached = await job.store.readCached();
  const hasChanged = JSON.stringify(cached) !== JSON.stringify(job.knownState);
  let lookup = hasChanged ? await revalidate(job, cached, job.signal) : job.lookup;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    if (lookup.type === 'hit') return { entry: lookup.entry, downloaded: false };
    const filled =
      (await reuseExisting(job, lookup.offer, lookup.etag)) ??
      (await downloadOffer(job, lookup.offer, lookup.etag, lock));
    if (filled !== undefined) return filled;
    lookup = await revalidate(job, cached, job.signal);
  }
  throw digestMismatch(job.artefactId);
}

/** Makes the offered bytes current if the store has them already. */
async function reuseExisting(job: FillJob, offer: Offer, etag: string | undefined): Promise<FillResult | undefined> {
  await sweepLeftovers(job.store.slot, partName(offer.digest));
  const name = await job.store.find(offer);
  if (name === undefined || offer.digest === undefined) return undefined;
  const state = describe(job, offer, etag, { name, digest: offer.digest });
  await job.store.makeCurrent(state);
  return { entry: state.current, downloaded: false };
}

/** Downloads the offer; undefined if the document has changed meanwhile. */
async function downloadOffer(
  job: FillJob,
  offer: Offer,
  etag: string | undefined,
  lock: Lock,
): Promise<FillResult | undefined> {
  const { store, registry, artefactId, signal, report } = job;
  const partPath = join(store.slot.directory, partName(offer.digest));
  const part = await openPartFile(partPath);
  try {
    const downloaded = await download({
      registry,
      url: routeUrl(registry, ['artefacts', artefactId, offer.route], { architecture: offer.architecture }),
      artefactId,
      digest: offer.digest,
      sizeBytes: offer.sizeBytes,
      part,
      partDigest: offer.digest,
      openSink: () => store.open({ offer, report, signal }),
      onBytes: (bytesDone, bytesTotal) => {
        report({ phase: 'download', bytesDone, bytesTotal });
      },
      signal,
    });
    if (downloaded === undefined) return undefined;
    const { digest, sizeBytes, sink } = downloaded;
    let removePart = true;
    try {
      const name = await sink.finish(digest, sizeBytes);
      signal.throwIfAborted();
      if (offer.digest === undefined && (await hasChangedSince(job, offer))) return undefined;
      if (!(await lock.isHeld())) throw new Error('another process has taken over the lock of the cache');
      const state = describe(job, offer, etag, { name, digest });
      await sink.place(state);
      return { entry: state.current, downloaded: true };
    } catch (error) {
      // The bytes are intact: the next call reuses them without another download.
      removePart = !(error instanceof BuildError || signal.aborted);
      throw error;
    } finally {
      await sink.abort();
      if (removePart) await rm(partPath, { force: true });
    }
  } finally {
    await part.close();
  }
}

function describe(
  { artefactId, registry }: FillJob,
  offer: Offer,
  etag: string | undefined,
  entry: { name: string; digest: string },
): CacheState {
  const { key, version, dataUpdatedAt } = offer;
  return { artefactId, registryUrl: registry.url, etag, current: { ...entry, key, version, dataUpdatedAt } };
}

/** Reads the document again: without a digest, only this shows whether the bytes are those of the offer. */
async function hasChangedSince(job: FillJob, offer: Offer): Promise<boolean> {
  const lookup = await revalidate(job, undefined, job.signal);
  return lookup.type === 'miss' && lookup.offer.key !== offer.key;
}
