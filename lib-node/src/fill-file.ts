// Keeps the file of an artefact up to date by requests for its bytes alone, which also work on registries that serve
// nothing else: a conditional one on each call, under the lock of the file if it is not known to be there.

import { mkdir, rm } from 'node:fs/promises';
import { sweepLeftovers } from './cache.ts';
import { digestMismatch, download } from './download.ts';
import { RegistryError } from './errors.ts';
import { partPathOf } from './file-store.ts';
import type { FileStore } from './file-store.ts';
import type { FillResult } from './fill.ts';
import { filePartName } from './layout.ts';
import { runLocked } from './lock.ts';
import type { Lock } from './lock.ts';
import type { Progress } from './options.ts';
import { openPartFile } from './part-file.ts';
import { routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import type { RegistryResponse } from './response.ts';
import { retrying } from './retry.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** An artefact of a registry, and the file that it is cached in. */
export interface FileTarget {
  registry: Registry;
  artefactId: string;
  store: FileStore;
}

export interface FileJob extends FileTarget {
  /** State of the cache when the call started. */
  knownState: CacheState | undefined;
  /** Response with newer bytes than in that state, not read yet. */
  response: RegistryResponse | undefined;
  signal: AbortSignal;
  report: (progress: Progress) => void;
}

/** Reads the state of the file in place, if it is of this artefact and registry. */
export async function readOwnState({ registry, artefactId, store }: FileTarget): Promise<CacheState | undefined> {
  const present = await store.readPresent();
  return present?.artefactId === artefactId && present.registryUrl === registry.url ? present : undefined;
}

/** Asks the registry whether there is something newer than `own`: a response of status 304, or one with the bytes. */
export async function requestNewer(
  { registry, artefactId }: FileTarget,
  own: CacheState,
  signal: AbortSignal,
): Promise<RegistryResponse> {
  const headers = { 'accept-encoding': 'identity', ...conditionsOf(own) };
  return await retrying(
    registry.retries,
    signal,
    async () => await send(registry, downloadUrl(registry, artefactId), { headers, signal, artefactId }),
  );
}

/** The entry after a response of status 304: another upload of the same bytes has another date. */
export function refreshEntry(entry: CacheEntry, response: RegistryResponse | undefined): CacheEntry {
  return { ...entry, dataUpdatedAt: parseDate(response?.lastModified) ?? entry.dataUpdatedAt };
}

/** Downloads the file, unless the one in place turns out to be up to date. */
export async function fillFile(job: FileJob): Promise<FillResult> {
  const { slot } = job.store;
  await mkdir(slot.directory, { recursive: true });
  return await runLocked(slot.lockDirectory, job.signal, async (lock) => await fillLocked(job, lock));
}

async function fillLocked(job: FileJob, lock: Lock): Promise<FillResult> {
  const { store, registry, artefactId, signal, report } = job;
  const present = await store.readPresent();
  const digestPresent = present?.current.digest ?? (await store.digestPresent());
  const response = await takeResponse(job);
  const partDigest = await store.findPart();
  await sweepLeftovers(store.slot, filePartName(partDigest));
  const part = await openPartFile(partPathOf(store, partDigest));
  try {
    const downloaded = await download({
      registry,
      url: downloadUrl(registry, artefactId),
      artefactId,
      digest: undefined,
      sizeBytes: undefined,
      part,
      partDigest,
      conditions: conditionsOf((await readOwnState(job)) ?? digestPresent),
      response,
      onResponse: async (it) => {
        await assertFile(it, artefactId);
        await part.move(partPathOf(store, it.digest));
      },
      openSink: async () => await Promise.resolve(NO_SINK),
      onBytes: (bytesDone, bytesTotal) => {
        report({ phase: 'download', bytesDone, bytesTotal });
      },
      signal,
    });
    if (downloaded === undefined) throw digestMismatch(artefactId);
    if (!(await lock.isHeld())) throw new Error('another process has taken over the lock of the cache');
    const isPresent = downloaded.response?.status === 304 && digestPresent !== undefined;
    const digest = isPresent ? digestPresent : downloaded.digest;
    const describe = describer(job, digest, downloaded.response);
    if (isPresent) return { entry: (await store.adopt(describe)).current, downloaded: false };
    return { entry: (await store.place(part.path(), describe)).current, downloaded: true };
  } finally {
    await part.close();
    // Bytes of which the digest is not known are never resumed.
    await rm(partPathOf(store, undefined), { force: true });
  }
}

/** Everything is in the partial file, which becomes the file. */
const NO_SINK = {
  write: async (): Promise<void> => {
    await Promise.resolve();
  },
  abort: async (): Promise<void> => {
    await Promise.resolve();
  },
};

/** Returns the response that has arrived already, unless another process has replaced the file meanwhile. */
async function takeResponse(job: FileJob): Promise<RegistryResponse | undefined> {
  const { response, knownState } = job;
  job.response = undefined;
  if (JSON.stringify(await readOwnState(job)) === JSON.stringify(knownState)) return response;
  await response?.discard();
  return undefined;
}

function describer(
  { artefactId, registry }: FileJob,
  digest: string,
  response: RegistryResponse | undefined,
): (name: string) => CacheState {
  const dataUpdatedAt = parseDate(response?.lastModified);
  const current = { key: digest, digest, version: undefined, dataUpdatedAt };
  return (name) => ({ artefactId, registryUrl: registry.url, etag: response?.etag, current: { name, ...current } });
}

/**
 * Conditions that the file in place is not sent again. The date is for registries without ETags only: with it, Berth
 * does not redirect to a storage.
 */
function conditionsOf(known: CacheState | string | undefined): Record<string, string> {
  if (known === undefined) return {};
  if (typeof known === 'string') return { 'if-none-match': `"${known}"` };
  const { etag, current } = known;
  const tags = [`"${current.digest}"`, ...(etag === undefined ? [] : [etag])];
  const { dataUpdatedAt } = current;
  return {
    'if-none-match': [...new Set(tags)].join(', '),
    ...(etag !== tags[0] &&
      dataUpdatedAt !== undefined && { 'if-modified-since': new Date(dataUpdatedAt).toUTCString() }),
  };
}

/**
 * Refuses what is no file: the tarball of a package, which has the same route, or the page of another site or of a
 * proxy that wants a sign-in, which says nothing of its digest.
 */
async function assertFile(response: RegistryResponse, artefactId: string): Promise<void> {
  const isPackage = response.headers.has('x-artefact-has-native-modules');
  const isPage = response.digest === undefined && /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
  if (!isPackage && !isPage) return;
  await response.discard();
  if (isPage) throw response.unusable('is a page, not a download');
  throw new RegistryError(`${artefactId} is an npm package, not a file: use ensureArtefact`, {
    status: 400,
    code: 'wrong_format',
    artefactId,
  });
}

function downloadUrl(registry: Registry, artefactId: string): URL {
  return routeUrl(registry, ['artefacts', artefactId, 'download']);
}

function parseDate(date: string | undefined): string | undefined {
  const time = Date.parse(date ?? '');
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
