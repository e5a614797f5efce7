// Options and results of the public functions. rules.ts validates the options.

import type { RegistryError } from './errors.ts';
import type { AccountRef, Artefact, ArtefactFormat, LocalisedText } from './types.ts';

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

export interface ListEventsOptions extends RegistryOptions {
  /**
   * Types to yield, with or without `berth.`: `artefact.updated`. One that ends with a dot stands for all that begin
   * with it: `artefact.`. Default: all.
   */
  types?: readonly string[] | undefined;
  /** Artefacts whose events to yield. Default: all events that the caller may see. */
  artefactIds?: readonly string[] | undefined;
  /** Where to begin: after the event with this id, or with the `oldest` that is kept (default). */
  after?: string | undefined;
}

export interface FollowEventsOptions extends ListEventsOptions {
  /** Where to begin: after the event with this id, with the `oldest` that is kept, or after the `latest` (default). */
  after?: string | undefined;
  /**
   * Milliseconds after which the connection counts as lost if not even one of the registry's heartbeats arrives, which
   * it sends every 15 seconds; default 45,000.
   */
  streamTimeoutMs?: number | undefined;
  /** Called when the connection is lost, and when another attempt to connect again has failed. */
  onInterruption?: ((error: RegistryError) => void) | undefined;
  /** Called when a new connection goes on after an interruption. */
  onResumption?: (() => void) | undefined;
}

/** State of a watched artefact. */
export type ArtefactUpdate =
  | {
      id: string;
      state: 'available';
      artefact: Artefact;
      /** Whether `ensureArtefact` may return something else than after the previous update of this id. */
      dataChanged: boolean;
    }
  | {
      id: string;
      /**
       * `not_found`: it does not exist, or the caller may not know that it does; `not_shared`: it exists, but not for
       * the `account`.
       */
      state: 'not_found' | 'not_shared';
      artefact: undefined;
      dataChanged: false;
    };

/** What has failed. All of it is tried again. */
export interface WatchErrorContext {
  /** The stream of events, so that updates take up to `pollIntervalMs`; a read; or the callback `onUpdate`. */
  during: 'stream' | 'read' | 'update';
  /** The artefact; undefined for the stream. */
  id: string | undefined;
}

export interface WatchArtefactsOptions extends RegistryOptions {
  /** Artefacts to watch, whether they exist yet or not. */
  ids: readonly string[];
  /**
   * Called with the state of each id at the start, and whenever it has changed. Never twice at once for one id; for
   * all ids, up to 32 times at once. If it throws or rejects, it is called again after a second, then after longer
   * delays up to `pollIntervalMs`, with the state of that time.
   */
  onUpdate: (update: ArtefactUpdate) => unknown;
  /**
   * Called with each failure to read an artefact and each error of `onUpdate`, and with the first failure of each kind
   * of the stream. Its own errors are ignored.
   */
  onError?: ((error: unknown, context: WatchErrorContext) => unknown) | undefined;
  /** Ends the watch like `close`. */
  signal?: AbortSignal | undefined;
  /** Milliseconds between two reads of all artefacts while there is no stream of events; default 30,000. */
  pollIntervalMs?: number | undefined;
  /**
   * Milliseconds between two reads of all artefacts while there is one; default 300,000. Only these notice that an
   * artefact is not shared any more. Also the delay before a registry without events is asked for them again.
   */
  refreshIntervalMs?: number | undefined;
  /** As of `followEvents`; default 45,000. */
  streamTimeoutMs?: number | undefined;
}

export interface ArtefactWatch {
  /** Resolves once `onUpdate` has succeeded for each id, or when the watch ends. Never rejects. */
  ready: Promise<void>;
  /** Ends the watch: no callback starts after this call; one that is running is not waited for. */
  close: () => Promise<void>;
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
