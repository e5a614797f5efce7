// Brings a shelf of the cache up to date, under its lock: one process downloads, the others find what it has left.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sweepLeftovers } from './cache.ts';
import { digestMismatch, download } from './download.ts';
import { BuildError } from './errors.ts';
import { partName } from './layout.ts';
import { acquireLock } from './lock.ts';
import type { Lock } from './lock.ts';
import { look } from './look.ts';
import type { Finding, Subject } from './look.ts';
import type { Progress } from './options.ts';
import { openPartFile } from './part-file.ts';
import { routeUrl } from './registry.ts';
import type { Offer } from './slots.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** How often a document may change between its reading and the download before the registry counts as broken. */
const MAX_ROUNDS = 4;

export interface FillJob extends Subject {
  /** What the cache held and the registry offered when the call began. */
  seen: CacheState | undefined;
  finding: Finding;
  signal: AbortSignal;
  report: (progress: Progress) => void;
}

export interface Filled {
  entry: CacheEntry;
  downloaded: boolean;
}

/** Fills the shelf unless another has done so meanwhile. */
export async function fillShelf(job: FillJob): Promise<Filled> {
  const { slot } = job.shelf;
  await mkdir(slot.directory, { recursive: true });
  for (;;) {
    const lock = await acquireLock(slot.lockDirectory, job.signal);
    try {
      return await fillLocked(job, lock);
    } catch (error) {
      // A process that was suspended may have been taken for dead; another does the work now, so this one waits for
      // it.
      if (job.signal.aborted || (await lock.isHeld())) throw error;
    } finally {
      await lock.release();
    }
  }
}

async function fillLocked(job: FillJob, lock: Lock): Promise<Filled> {
  const cached = await job.shelf.readCached();
  const hasChanged = JSON.stringify(cached) !== JSON.stringify(job.seen);
  let finding = hasChanged ? await look(job, cached, job.signal) : job.finding;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (finding.type === 'hit') return { entry: finding.entry, downloaded: false };
    const filled =
      (await takeUp(job, finding.offer, finding.etag)) ?? (await takeIn(job, finding.offer, finding.etag, lock));
    if (filled !== undefined) return filled;
    finding = await look(job, cached, job.signal);
  }
  throw digestMismatch(job.artefactId);
}

/** Makes current what is offered where it is there already. */
async function takeUp(job: FillJob, offer: Offer, etag: string | undefined): Promise<Filled | undefined> {
  await sweepLeftovers(job.shelf.slot, partName(offer.digest));
  const name = await job.shelf.find(offer);
  if (name === undefined || offer.digest === undefined) return undefined;
  const state = describe(job, offer, etag, { name, digest: offer.digest });
  await job.shelf.makeCurrent(state);
  return { entry: state.current, downloaded: false };
}

/** Downloads what is offered; undefined when the document has moved. */
async function takeIn(job: FillJob, offer: Offer, etag: string | undefined, lock: Lock): Promise<Filled | undefined> {
  const { shelf, registry, artefactId, signal, report } = job;
  const partPath = join(shelf.slot.directory, partName(offer.digest));
  const part = await openPartFile(partPath);
  try {
    const downloaded = await download({
      registry,
      url: routeUrl(registry, ['artefacts', artefactId, offer.route], { architecture: offer.architecture }),
      artefactId,
      digest: offer.digest,
      sizeBytes: offer.sizeBytes,
      part,
      openSink: () => shelf.open({ offer, partPath, report, signal }),
      onBytes: (bytesDone, bytesTotal) => {
        report({ phase: 'download', bytesDone, bytesTotal });
      },
      signal,
    });
    if (downloaded === undefined) return undefined;
    const { digest, sizeBytes, sink } = downloaded;
    let isSpent = true;
    try {
      const name = await sink.finish(digest, sizeBytes);
      signal.throwIfAborted();
      if (offer.digest === undefined && (await hasMoved(job, offer))) return undefined;
      if (!(await lock.isHeld())) throw new Error('the lock of the cache has been taken over');
      const state = describe(job, offer, etag, { name, digest });
      await sink.place(state);
      return { entry: state.current, downloaded: true };
    } catch (error) {
      // The bytes are sound: the next call builds from them without another download.
      isSpent = !(error instanceof BuildError || signal.aborted);
      throw error;
    } finally {
      await sink.abort();
      if (isSpent) await rm(partPath, { force: true });
    }
  } finally {
    await part.close();
  }
}

function describe(
  { artefactId, registry }: FillJob,
  offer: Offer,
  etag: string | undefined,
  found: { name: string; digest: string },
): CacheState {
  const { key, version, dataUpdatedAt } = offer;
  return { artefactId, registryUrl: registry.url, etag, current: { ...found, key, version, dataUpdatedAt } };
}

/** Without digests only the document, read once more, tells whether the bytes are those that it spoke of. */
async function hasMoved(job: FillJob, offer: Offer): Promise<boolean> {
  const finding = await look(job, undefined, job.signal);
  return finding.type === 'miss' && finding.offer.key !== offer.key;
}
