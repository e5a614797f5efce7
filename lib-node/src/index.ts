// Public API of @berth-registry/lib-node.

import { createArtefactCache } from './ensure.ts';

export { getArtefact, listArtefacts } from './document.ts';
export { ArchiveError, BuildError, RegistryError } from './errors.ts';
export type { ArchiveErrorCode, BuildErrorCode, FieldError } from './errors.ts';
export { followEvents } from './follow.ts';
export { listEvents } from './list-events.ts';
export type {
  ArtefactUpdate,
  ArtefactWatch,
  DroppedMetadata,
  EnsureArtefactFileOptions,
  EnsureArtefactOptions,
  EnsuredArtefact,
  EnsuredFile,
  FollowEventsOptions,
  GetArtefactOptions,
  ListArtefactsOptions,
  ListEventsOptions,
  MigratePluginsOptions,
  MigrationReport,
  MigrationResult,
  PluginToMigrate,
  Progress,
  PublishArtefactOptions,
  RegistryOptions,
  UploadSource,
  WatchArtefactsOptions,
  WatchErrorContext,
} from './options.ts';
export { migratePlugins } from './migrate.ts';
export { publishArtefact } from './publish.ts';
export type {
  AccountRef,
  Artefact,
  ArtefactFormat,
  ArtefactList,
  ArtefactSlot,
  BerthEvent,
  LocalisedText,
  TarballWarning,
} from './types.ts';
export { extractTarball } from './unpack.ts';
export { watchArtefacts } from './watch.ts';
// For the command, which sends other requests as well.
export { describeConnectionFailure } from './connection-failure.ts';
export { describeOtherAnswer } from './problem.ts';
export { fetchDirectly, proxyOptions } from './proxy.ts';
export type { UnpackLimits } from './unpack.ts';

/** One per process: its callers share the downloads in flight and the directories in use. */
const cache = createArtefactCache();

/**
 * Downloads and unpacks an artefact's package into `cacheDir`, and returns its path. Every call asks the registry
 * whether there is something newer; on a cache hit, that one conditional request is all it does.
 *
 * @throws TypeError if an option is unknown, missing or invalid
 * @throws RegistryError if the registry refuses (401, 403, 404), stays unreachable, or sends bytes that do not match
 *   its digest
 * @throws ArchiveError if the tarball is damaged, contains a path or link that leads outside, or exceeds the limits
 * @throws BuildError if native modules cannot be built; directories that were returned before stay valid
 */
export const ensureArtefact = cache.ensureArtefact;

/**
 * Downloads the file of a file artefact to exactly `<cacheDir>/<fileName>`, and returns its path and digest. Every
 * call asks the registry whether there is something newer. An interrupted download is resumed, by another process too,
 * and the file is replaced atomically when the new one is complete.
 *
 * @throws TypeError if an option is unknown, missing or invalid, or if `fileName` is missing and the id is not a valid
 *   file name
 * @throws RegistryError if the registry refuses (401, 403, 404), stays unreachable, or sends bytes that do not match
 *   its digest
 */
export const ensureArtefactFile = cache.ensureArtefactFile;

/**
 * Releases a directory of `ensureArtefact`; to be called once for each time it was returned. A released directory may
 * be removed when it is out of date. Without this call, directories stay as long as the process lives.
 */
export const releaseArtefact = cache.releaseArtefact;
