// Scans tarballs again that an older version of the program has scanned, and completes their artefacts with what that
// version did not look for. Each is read once: what is done is in the database, so that any replica can continue.

import { createHash } from 'node:crypto';
import { BlobMissingError, referenceRepository, type Blobs } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { createThrottle, type Job } from '../jobs/index.ts';
import type { TarballLimits, TarballScan, TarballScanners } from '../tarballs/index.ts';
import { renderDocuments } from './document.ts';
import { formatFileIndex } from './file-index.ts';
import { lastUploaded } from './operations.ts';
import { artefactRepository } from './repository.ts';
import { scanRepository, type OutdatedScan } from './scan-repository.ts';

export interface RescanProgress {
  scanned: number;
  bytes: number;
  /** Tarballs of before a rule that refuses them now: they keep their earlier scan. */
  refused: number;
  /** Damaged or missing tarballs: left to the next run, or to the scrub, which reports them. */
  unreadable: number;
}

export interface RescanOptions {
  database: Database;
  blobs: Pick<Blobs, 'read'>;
  scanners: TarballScanners;
  limits: TarballLimits;
  /** Default 16 MiB. */
  bytesPerSecond?: number | undefined;
}

/** A scan, or the error that refuses the tarball. */
type Outcome = TarballScan | BerthError;

/** Leaves most of a core and of a disk to requests. */
const BYTES_PER_SECOND = 16 * 1024 * 1024;
/** A replica of an older version may receive tarballs during an upgrade. */
const CHECK_EVERY_MS = 3_600_000;
const LIST_SIZE = 100;

export function createRescanJob({
  database,
  blobs,
  scanners,
  limits,
  bytesPerSecond = BYTES_PER_SECOND,
}: RescanOptions): Job<RescanProgress, RescanProgress> {
  const scans = scanRepository(database.db);

  /** Returns undefined if the bytes are not those of the digest. @throws storage_unavailable */
  async function scan(
    digest: string,
    signal: AbortSignal,
    throttle: (bytes: number) => Promise<void>,
  ): Promise<Outcome | undefined> {
    const scanner = scanners.create(limits);
    const hash = createHash('sha256');
    let refusal: BerthError | undefined;
    const attempt = async <T>(step: Promise<T>): Promise<T | undefined> =>
      step.catch((error: unknown) => {
        // Damaged bytes read like a bad tarball: the digest tells, once all of them are read.
        if (!(error instanceof BerthError)) throw error;
        refusal ??= error;
        return undefined;
      });
    try {
      for await (const chunk of (await blobs.read(digest)) as AsyncIterable<Buffer>) {
        signal.throwIfAborted();
        hash.update(chunk);
        if (!refusal) await attempt(scanner.write(chunk));
        await throttle(chunk.length);
      }
      const found = refusal ? undefined : await attempt(scanner.finish());
      return digestOf(hash) === digest ? (refusal ?? found) : undefined;
    } catch (error) {
      if (error instanceof BlobMissingError) return undefined;
      throw error;
    } finally {
      scanner.abort();
    }
  }

  async function* outdated(): AsyncGenerator<OutdatedScan> {
    for (let last: OutdatedScan | undefined; ;) {
      const listed = await scans.listOutdated(last, LIST_SIZE);
      yield* listed;
      last = listed.at(-1);
      if (!last) return;
    }
  }

  return {
    name: 'tarballs.rescan',
    everyMs: CHECK_EVERY_MS,
    isDueAtStart: async () => (await scans.listOutdated(undefined, 1)).length > 0,
    async run({ signal, progress, assertHeld }) {
      const throttle = createThrottle(bytesPerSecond, signal);
      const done: RescanProgress = { scanned: 0, bytes: 0, refused: 0, unreadable: 0 };
      for await (const { digest, sizeBytes } of outdated()) {
        signal.throwIfAborted();
        const outcome = await scan(digest, signal, throttle);
        if (outcome === undefined) done.unreadable++;
        else if (outcome instanceof BerthError) done.refused++;
        else done.scanned++;
        done.bytes += sizeBytes;
        if (outcome) await store(digest, outcome, assertHeld);
        progress({ ...done });
      }
      return done;
    },
  };

  async function store(digest: string, outcome: Outcome, assertHeld: (tx: Tx) => Promise<void>): Promise<void> {
    const fileIndex = outcome instanceof BerthError ? [] : await formatFileIndex(outcome.files);
    await database.transaction(async (tx) => {
      await assertHeld(tx);
      if (outcome instanceof BerthError) return scanRepository(tx).putError(digest, outcome.code);
      const artefacts = artefactRepository(tx);
      const ids = await referenceRepository(tx).listArtefacts(digest);
      // Before the scan, in the order of uploads: otherwise they could deadlock.
      for (const id of ids) await artefacts.lock(id);
      await scanRepository(tx).put(digest, outcome, fileIndex);
      for (const id of ids) await complete(tx, id, digest, outcome);
    });
  }
}

/** Sets the fields of the manifest that were not known at the upload. Those of a mirror are its original's. */
async function complete(tx: Tx, id: string, digest: string, { manifest }: TarballScan): Promise<void> {
  const artefacts = artefactRepository(tx);
  const stored = await artefacts.find(id);
  if (!stored) return;
  const { artefact, slots } = stored;
  if (artefact.origin === undefined && lastUploaded(slots)?.digest === digest) {
    const { packageDescription, keywords, links } = manifest;
    Object.assign(artefact, { packageDescription, keywords, links });
  }
  await artefacts.renew([{ artefact, documents: renderDocuments(artefact, slots) }]);
}
