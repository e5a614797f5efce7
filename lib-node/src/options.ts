// What callers may pass, checked before anything is sent. The options' meaning is documented here, their checks in
// rules.ts.

import type { AccountRef, ArtefactFormat, LocalisedText } from './types.ts';

/**
 * A step of a transfer. `bytesTotal` is undefined where the size is not known in advance. A build only tells that it
 * begins.
 */
export interface Progress {
  phase: 'download' | 'unpack' | 'build' | 'upload';
  bytesDone: number;
  bytesTotal: number | undefined;
}

/** Where the registry is, who calls, and how patient the call is. */
export interface RegistryOptions {
  /** Base URL of the registry, without `/api/v1`; it may carry a path: `https://example.org/registry`. */
  registryUrl: string;
  /** Secret of internal services, sent as `x-secret-key`. At most one of `secretKey` and `apiKey`. */
  secretKey?: string | undefined;
  /** API key `reg_…`, sent as `x-api-key`. With neither the call is anonymous. */
  apiKey?: string | undefined;
  /** The account that an internal service acts for, sent as `x-account`. */
  account?: AccountRef | undefined;
  /** Ends the call with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** How many times in a row a transient failure is tried again; default 5, which takes about 6 seconds. */
  retries?: number | undefined;
  /** Longest silence of the registry, in milliseconds, before the connection counts as lost; default 30,000. */
  timeoutMs?: number | undefined;
}

export interface GetArtefactOptions extends RegistryOptions {
  artefactId: string;
}

export interface ListArtefactsOptions extends RegistryOptions {
  /** Words, in any order, over id, package name, title and description. */
  q?: string | undefined;
  category?: string | undefined;
  format?: ArtefactFormat | undefined;
  group?: string | undefined;
  packageName?: string | undefined;
  origin?: string | undefined;
  includeDeprecated?: boolean | undefined;
  /** Default `dataUpdatedAt`: newest first. */
  sort?: 'dataUpdatedAt' | 'name' | '-name' | undefined;
  skip?: number | undefined;
  /** Results in one answer; the registry's default is 10, its bound 1000. */
  size?: number | undefined;
}

export interface EnsureArtefactOptions extends RegistryOptions {
  /** The only selector: `@acme/import-gpkg@1`. */
  artefactId: string;
  /** Directory of the cache; made when it is missing. Processes and architectures share it. */
  cacheDir: string;
  /** Slot to prefer to `noarch`; default `process.arch`, `''` asks for `noarch` only. */
  architecture?: string | undefined;
  /**
   * Build native modules for the running Node by `npm rebuild`, offline, before the directory is handed out; default
   * false.
   */
  build?: boolean | undefined;
  /**
   * How many unpacked directories stay, the current one included; default 1. See the README for those that stay
   * longer.
   */
  keep?: number | undefined;
  /** Answer with what is cached when the registry cannot be reached at all; default false. */
  allowStale?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface EnsureArtefactFileOptions extends RegistryOptions {
  artefactId: string;
  /** Directory of the file; made when it is missing. Processes and files share it. */
  cacheDir: string;
  /**
   * Path of the file inside `cacheDir`, such as `tiles/europe.pmtiles`; no part of it begins with a dot. Default: the
   * id.
   */
  fileName?: string | undefined;
  /** Answer with what is cached when the registry cannot be reached at all; default false. */
  allowStale?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface EnsuredArtefact {
  /** Absolute path of the unpacked package, which holds its `package.json`. It is never changed afterwards. */
  path: string;
  version: string | undefined;
  dataUpdatedAt: string | undefined;
  /** `sha256:<64 hex digits>` of the tarball; computed here where the registry gives none. */
  digest: string;
  /** Whether this very call downloaded it. */
  downloaded: boolean;
  /** Whether the registry could not be asked if there is something newer. */
  stale: boolean;
}

export interface EnsuredFile {
  /**
   * Absolute path, `<cacheDir>/<fileName>`. A newer upload replaces the file at once: what has it open keeps the old
   * bytes.
   */
  path: string;
  /** `sha256:<64 hex digits>` of the file; computed here where the registry gives none. */
  digest: string;
  /** Whether this very call downloaded it. */
  downloaded: boolean;
  /** Whether the registry could not be asked if there is something newer. */
  stale: boolean;
}

/** Bytes to upload: a file's path, or a stream, which cannot be sent a second time. */
export type UploadSource = string | AsyncIterable<Uint8Array>;

export interface PublishArtefactOptions extends RegistryOptions {
  artefactId: string;
  /** `npm` (default): `file` is what `npm pack` made; `file`: any one file. */
  format?: ArtefactFormat | undefined;
  file: UploadSource;
  /** Slot to fill, npm only; the registry's default is `noarch`. */
  architecture?: string | undefined;
  category?: string | undefined;
  title?: LocalisedText | undefined;
  description?: LocalisedText | undefined;
  /** Name that downloads carry, format `file` only; default: the path's last part. */
  fileName?: string | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** What a service holds of one plug-in, or of one file, with what it knows of it. */
export interface PluginToMigrate {
  artefactId: string;
  /** Folder of an installed package, which is packed with all that is in it; or path of a tarball, or of a file. */
  path: string;
  /** Default `npm`. */
  format?: ArtefactFormat | undefined;
  /** npm only; default `noarch`. */
  architecture?: string | undefined;
  category?: string | undefined;
  title?: LocalisedText | undefined;
  description?: LocalisedText | undefined;
  group?: LocalisedText | undefined;
  documentation?: string | undefined;
  deprecated?: boolean | undefined;
  public?: boolean | undefined;
  privateAccess?: AccountRef[] | undefined;
  /** Path of an image. */
  thumbnail?: string | undefined;
}

export interface MigratePluginsOptions extends RegistryOptions {
  plugins: Iterable<PluginToMigrate> | AsyncIterable<PluginToMigrate>;
  /** Accounts that may download from the registry from now on. */
  grants?: AccountRef[] | undefined;
  /** Called with each result as it comes. */
  onResult?: ((result: MigrationResult) => void) | undefined;
}

export interface MigrationResult {
  artefactId: string;
  /** `present`: the registry has bytes in this slot already, and they stay. */
  status: 'uploaded' | 'present' | 'failed';
  /** Fields that were set; of a failed one, those that were set before. */
  metadata: string[];
  /** Of a failed one, in one sentence. */
  reason?: string;
}

export interface MigrationReport {
  results: MigrationResult[];
  grants: { account: AccountRef; status: 'granted' | 'present' | 'failed'; reason?: string }[];
  /** Whether everything that was given is in the registry now. */
  isComplete: boolean;
}
