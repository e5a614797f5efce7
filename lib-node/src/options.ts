// Options and results of the public functions. rules.ts validates the options.

import type { AccountRef, ArtefactFormat, LocalisedText } from './types.ts';

/**
 * Progress of a transfer. `bytesTotal` is undefined if the size is not known in advance. A build reports only its
 * start.
 */
export interface Progress {
  phase: 'download' | 'unpack' | 'build' | 'upload';
  bytesDone: number;
  bytesTotal: number | undefined;
}

/** The registry, the caller's credentials, retries and timeouts. */
export interface RegistryOptions {
  /** Base URL of the registry; it may have a path (`https://example.org/registry`). A final `/api/v1` is ignored. */
  registryUrl: string;
  /**
   * Secret of internal services, sent as `x-secret-key`, without blanks and line breaks around it. At most one of
   * `secretKey` and `apiKey`.
   */
  secretKey?: string | undefined;
  /** API key `reg_…`, sent as `x-api-key`. Without key and secret, the call is anonymous. */
  apiKey?: string | undefined;
  /** Account that an internal service acts for, sent as `x-account`. */
  account?: AccountRef | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Retries after consecutive transient failures; default 5, about 6 seconds in total. */
  retries?: number | undefined;
  /** Milliseconds without data after which the connection counts as lost; default 30,000. */
  timeoutMs?: number | undefined;
}

export interface GetArtefactOptions extends RegistryOptions {
  artefactId: string;
}

export interface ListArtefactsOptions extends RegistryOptions {
  /** Words to search for, in any order, in id, package name, title and description. */
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
  /** Results per page; the registry's default is 10, its maximum 1000. */
  size?: number | undefined;
}

export interface EnsureArtefactOptions extends RegistryOptions {
  /** Selects the artefact: `@acme/import-gpkg@1`. There is no version option. */
  artefactId: string;
  /** Directory of the cache; created if missing. Can be shared by processes and architectures. */
  cacheDir: string;
  /** Slot to prefer to `noarch`; default `process.arch`; `''` selects `noarch` only. */
  architecture?: string | undefined;
  /**
   * Build native modules for the running Node by `npm rebuild`, offline, before the directory is returned; default
   * false.
   */
  build?: boolean | undefined;
  /** Unpacked directories to keep, including the current one; default 1. The README says which are kept longer. */
  keep?: number | undefined;
  /**
   * Bytes that the package may unpack to; default 4 GiB, as registries accept by default. Set it if yours accepts more
   * (MAX_UNPACKED_BYTES).
   */
  maxUnpackedBytes?: number | undefined;
  /** Files, directories and links that the package may contain; default 200,000, as above (MAX_TAR_ENTRIES). */
  maxEntries?: number | undefined;
  /** Return the cached copy if the registry cannot be reached at all; default false. */
  allowStale?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface EnsureArtefactFileOptions extends RegistryOptions {
  artefactId: string;
  /** Directory of the cache; created if missing. Can be shared by processes and files. */
  cacheDir: string;
  /** Path of the file in `cacheDir`, such as `tiles/europe.pmtiles`; no part may start with a dot. Default: the id. */
  fileName?: string | undefined;
  /** Return the cached copy if the registry cannot be reached at all; default false. */
  allowStale?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface EnsuredArtefact {
  /** Absolute path of the unpacked package, with its `package.json`. Its content never changes. */
  path: string;
  version: string | undefined;
  dataUpdatedAt: string | undefined;
  /** `sha256:<64 hex digits>` of the tarball; computed here if the registry provides none. */
  digest: string;
  /** Whether this call downloaded it. */
  downloaded: boolean;
  /** Whether the registry could not be reached, so that there may be something newer. */
  stale: boolean;
}

export interface EnsuredFile {
  /** Absolute path, `<cacheDir>/<fileName>`. A newer upload replaces it atomically: open files keep the old bytes. */
  path: string;
  /** ISO 8601 UTC of the last upload, in whole seconds; undefined if the registry provides none. */
  dataUpdatedAt: string | undefined;
  /** `sha256:<64 hex digits>` of the file; computed here if the registry provides none. */
  digest: string;
  /** Whether this call downloaded it. */
  downloaded: boolean;
  /** Whether the registry could not be reached, so that there may be something newer. */
  stale: boolean;
}

/** Bytes to upload: the path of a file, or a stream, which cannot be sent again. */
export type UploadSource = string | AsyncIterable<Uint8Array>;

export interface PublishArtefactOptions extends RegistryOptions {
  artefactId: string;
  /** `npm` (default): a tarball of `npm pack`; `file`: any file. */
  format?: ArtefactFormat | undefined;
  file: UploadSource;
  /** Slot to fill, npm only; the registry's default is `noarch`. */
  architecture?: string | undefined;
  category?: string | undefined;
  title?: LocalisedText | undefined;
  description?: LocalisedText | undefined;
  /** File name of downloads, format `file` only; default: the last part of the path. */
  fileName?: string | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A plug-in or file to upload, with its metadata. */
export interface PluginToMigrate {
  artefactId: string;
  /** Folder of an installed package, which is packed with everything in it; or path of a tarball or file. */
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
  /** Accounts to grant access to downloads. */
  grants?: AccountRef[] | undefined;
  /** Called with each result as it becomes available. */
  onResult?: ((result: MigrationResult) => void) | undefined;
}

export interface DroppedMetadata {
  /** `documentation`, or a part of a field: `title.fr`, `privateAccess.0`. */
  field: string;
  /** Why, in one sentence. */
  reason: string;
}

export interface MigrationResult {
  artefactId: string;
  /** `present`: the slot already had content, which was not replaced. */
  status: 'uploaded' | 'present' | 'failed';
  /** Fields that were set, on failure those before it. */
  metadata: string[];
  /** Metadata that the registry refuses, which was left out; missing if there is none. */
  dropped?: DroppedMetadata[];
  /** Why it failed, in one sentence. */
  reason?: string;
}

export interface MigrationReport {
  results: MigrationResult[];
  grants: { account: AccountRef; status: 'granted' | 'present' | 'failed'; reason?: string }[];
  /** Whether all plug-ins and grants are in the registry now. */
  isComplete: boolean;
}
