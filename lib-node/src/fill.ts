// Brings a slot of the cache up to date, under its lock: one process downloads, the others find what it has left.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasEntry, makeCurrent, publishStaged, sweepLeftovers } from './cache.ts';
import type { Keeping } from './cache.ts';
import { digestMismatch, download } from './download.ts';
import { entryName, partName } from './layout.ts';
import { acquireLock } from './lock.ts';
import type { Lock } from './lock.ts';
import { look, readCached } from './look.ts';
import type { Finding, Subject } from './look.ts';
import type { Progress } from './options.ts';
import { openPartFile } from './part-file.ts';
import { routeUrl } from './registry.ts';
import { requestedSlot } from './slots.ts';
import type { Offer } from './slots.ts';
import { openStaging } from './staging.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** How often a document may change between its reading and the download before the registry counts as broken. */
const MAX_ROUNDS = 4;

export interface FillJob extends Subject, Keeping {
  /** What the cache held and the registry offered when the call began. */
  seen: CacheState | undefined;
  finding: Finding;
  signal: AbortSignal;
  report: (progress: Progress) => void;
}

export interface Filled { entry: CacheEntry; downloaded: boolean }

/** Fills the slot unless another has done so meanwhile. */
export async function fillSlot(job: FillJob): Promise<Filled> {
  await mkdir(job.slot.directory, { recursive: true });
  for (;;) {
    const lock = await acquireLock(job.slot.lockDirectory, job.signal);
    try {
      return await fillLocked(job, lock);
    } catch (error) {
      // A process that was suspended may have been taken for dead; another does the work now, so this one waits for it.
      if (job.signal.aborted || await lock.isHeld()) throw error;
    } finally {
      await lock.release();
    }
  }
}

async function fillLocked(job: FillJob, lock: Lock): Promise<Filled> {
  const cached = await readCached(job);
  const hasChanged = JSON.stringify(cached) !== JSON.stringify(job.seen);
  let finding = hasChanged ? await look(job, cached, job.signal) : job.finding;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (finding.type === 'hit') return { entry: finding.entry, downloaded: false };
    const { offer, etag } = finding;
    const obtained = await obtain(job, offer, lock);
    if (obtained !== undefined) {
      const { digest, downloaded } = obtained;
      const entry: CacheEntry = { name: entryName(digest), key: offer.key, digest, version: offer.version, dataUpdatedAt: offer.dataUpdatedAt };
      const state = { artefactId: job.artefactId, registryUrl: job.registry.url, etag, current: entry, retired: cached?.retired ?? {} };
      await makeCurrent(job.slot, state, job);
      return { entry, downloaded };
    }
    finding = await look(job, cached, job.signal);
  }
  throw digestMismatch(job.artefactId);
}

/** Downloads and unpacks what is offered unless it is there already; undefined when the document has moved. */
async function obtain(job: FillJob, offer: Offer, lock: Lock): Promise<{ digest: string; downloaded: boolean } | undefined> {
  const { slot, signal } = job;
  const part = partName(offer.digest);
  await sweepLeftovers(slot, part);
  if (offer.digest !== undefined && await hasEntry(slot, entryName(offer.digest))) return { digest: offer.digest, downloaded: false };

  const partPath = join(slot.directory, part);
  const partFile = await openPartFile(partPath);
  try {
    let wholeBytes = 0;
    const onConsumed = (bytesDone: number): void => {
      if (wholeBytes > 0) job.report({ phase: 'unpack', bytesDone, bytesTotal: wholeBytes });
    };
    const downloaded = await download({
      registry: job.registry,
      url: downloadUrl(job, offer),
      artefactId: job.artefactId,
      digest: offer.digest,
      sizeBytes: offer.sizeBytes,
      part: partFile,
      openSink: () => openStaging(slot, onConsumed),
      onBytes: (bytesDone, bytesTotal) => { job.report({ phase: 'download', bytesDone, bytesTotal }); },
      signal,
    });
    if (downloaded === undefined) return undefined;
    const { digest, sizeBytes, sink } = downloaded;
    wholeBytes = sizeBytes;
    try {
      await sink.finish();
      signal.throwIfAborted();
      if (offer.digest === undefined && await hasMoved(job, offer)) return undefined;
      if (!await lock.isHeld()) throw new Error('the lock of the cache has been taken over');
      await publishStaged(slot, sink.directory, digest);
    } finally {
      await sink.abort();
      await rm(partPath, { force: true });
    }
    return { digest, downloaded: true };
  } finally {
    await partFile.close();
  }
}

function downloadUrl({ registry, artefactId, architecture }: FillJob, { route }: Offer): URL {
  return routeUrl(registry, ['artefacts', artefactId, route], route === 'tarball' ? { architecture: requestedSlot(architecture) } : {});
}

/** Without digests only the document, read once more, tells whether the bytes are those that it spoke of. */
async function hasMoved(job: FillJob, offer: Offer): Promise<boolean> {
  const finding = await look(job, undefined, job.signal);
  return finding.type === 'miss' && finding.offer.key !== offer.key;
}
