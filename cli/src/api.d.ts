// Declares what this package uses of @berth-registry/api. tsconfig.json maps the import here, since the server is
// compiled separately; a test checks that the server matches.

/** Runs a server as this process until SIGTERM or SIGINT. */
export function serve(env: NodeJS.ProcessEnv): Promise<void>;

export interface Progress {
  phase: string;
  done: number;
  total?: number;
  bytesDone?: number;
  bytesTotal?: number;
}
interface Hooks {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** A missing or damaged blob, with the artefacts that use it; the architecture of a file artefact is empty. */
export interface DamagedBlob {
  digest: string;
  reason: string;
  artefacts: { id: string; architecture: string }[];
}

interface BackupSummary {
  directory: string;
  createdAt: string;
  rows: Record<string, number>;
  lost: DamagedBlob[];
  secrets: { included: string[]; leftOut: string[] };
}

/** Backs up the whole instance into a directory. */
export function backup(
  env: NodeJS.ProcessEnv,
  directory: string,
  options?: Hooks & { verify?: boolean },
): Promise<
  BackupSummary & {
    blobs: { count: number; sizeBytes: number; copied: number; kept: number; removed: number };
  }
>;

/** Restores a backup into an empty instance, or only copies its blobs there. */
export function restore(
  env: NodeJS.ProcessEnv,
  directory: string,
  options?: Hooks & { allowLost?: boolean; blobsOnly?: boolean },
): Promise<
  BackupSummary & {
    blobs: { count: number; sizeBytes: number; restored: number; kept: number };
  }
>;

/** Writes artefacts with their content to a bundle file. */
export function exportArtefacts(
  env: NodeJS.ProcessEnv,
  path: string,
  options: Hooks & { patterns: readonly string[]; from?: { url: string; apiKey: string | undefined } | undefined },
): Promise<{
  path: string;
  origin: string;
  artefacts: number;
  sizeBytes: number;
  failed: { id: string; reason: string }[];
}>;

/** Mirrors the artefacts of a bundle file. */
export function importArtefacts(
  env: NodeJS.ProcessEnv,
  path: string,
  options?: { onProgress?: (progress: Omit<Progress, 'phase'>) => void; signal?: AbortSignal },
): Promise<{
  origin: string;
  createdAt: string;
  updated: number;
  unchanged: number;
  failed: number;
  gone: number;
  problems: { id: string; reason: string }[];
}>;

/** Migrates the database to the server's schema. */
export function migrateDatabase(env: NodeJS.ProcessEnv): Promise<{ migrated: string[] }>;

/** Adopts the present secrets after the previous ones were lost; only reports what would be lost unless `confirm`. */
export function resetSecrets(
  env: NodeJS.ProcessEnv,
  options?: { confirm?: boolean },
): Promise<{
  adopted: boolean;
  lost: string[];
  sessions: number;
  secondFactors: number;
  apiKeys: number;
  remoteRegistries: string[];
}>;

/** Garbage collection: deletes unreferenced content. */
export function sweep(
  env: NodeJS.ProcessEnv,
  options?: {
    dryRun?: boolean;
    onProgress?: (progress: { phase: 'blobs' | 'objects'; checkedBlobs: number; checkedObjects: number }) => void;
    signal?: AbortSignal;
  },
): Promise<{
  dryRun: boolean;
  removedBlobs: number;
  removedObjects: number;
  endedUploads: number;
  freedBytes: number;
  digests?: string[];
}>;

/** Integrity check: reads and verifies every blob. */
export function scrub(
  env: NodeJS.ProcessEnv,
  options?: { onProgress?: (progress: { checkedBlobs: number; checkedBytes: number }) => void; signal?: AbortSignal },
): Promise<{
  checkedBlobs: number;
  checkedBytes: number;
  damagedBlobs: number;
  missingBlobs: number;
  recoveredBlobs: number;
  damaged: DamagedBlob[];
  missing: DamagedBlob[];
}>;
