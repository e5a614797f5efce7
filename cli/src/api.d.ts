// What this package uses of @berth-registry/api; the path in tsconfig.json leads here, since the server is compiled on
// its own. A test holds it equal to what the server has.

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

/** A blob whose bytes are not what they should be, and whose it is; the architecture of file artefacts is empty. */
export interface Unsound {
  digest: string;
  reason: string;
  artefacts: { id: string; architecture: string }[];
}

interface BackupSummary {
  directory: string;
  createdAt: string;
  rows: Record<string, number>;
  lost: Unsound[];
  secrets: { included: string[]; leftOut: string[] };
}

/** Copies the whole instance into a folder. */
export function backup(
  env: NodeJS.ProcessEnv,
  directory: string,
  options?: Hooks & { verify?: boolean },
): Promise<
  BackupSummary & {
    blobs: { count: number; sizeBytes: number; copied: number; kept: number; removed: number };
  }
>;

/** Rebuilds an empty instance from a folder. */
export function restore(
  env: NodeJS.ProcessEnv,
  directory: string,
  options?: Hooks & { allowLost?: boolean },
): Promise<
  BackupSummary & {
    blobs: { count: number; sizeBytes: number; restored: number };
  }
>;

/** Writes chosen artefacts with their bytes into one file. */
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

/** Mirrors what such a file brings. */
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

/** Brings the database to the server's schema. */
export function migrateDatabase(env: NodeJS.ProcessEnv): Promise<{ migrated: string[] }>;

/** Removes what nobody refers to. */
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

/** Reads every blob back. */
export function scrub(
  env: NodeJS.ProcessEnv,
  options?: { onProgress?: (progress: { checkedBlobs: number; checkedBytes: number }) => void; signal?: AbortSignal },
): Promise<{
  checkedBlobs: number;
  checkedBytes: number;
  damagedBlobs: number;
  missingBlobs: number;
  recoveredBlobs: number;
  damaged: Unsound[];
  missing: Unsound[];
}>;
