// The public face of @berth-registry/lib-node.

import { createArtefactCache } from './ensure.ts';

export { getArtefact, listArtefacts } from './document.ts';
export { ArchiveError, BuildError, RegistryError } from './errors.ts';
export type { ArchiveErrorCode, BuildErrorCode } from './errors.ts';
export type {
  EnsureArtefactFileOptions,
  EnsureArtefactOptions,
  EnsuredArtefact,
  EnsuredFile,
  GetArtefactOptions,
  ListArtefactsOptions,
  MigratePluginsOptions,
  MigrationReport,
  MigrationResult,
  PluginToMigrate,
  Progress,
  PublishArtefactOptions,
  RegistryOptions,
  UploadSource,
} from './options.ts';
export { migratePlugins } from './migrate.ts';
export { publishArtefact } from './publish.ts';
export type { AccountRef, Artefact, ArtefactFormat, ArtefactList, ArtefactSlot, LocalisedText } from './types.ts';
export { extractTarball } from './unpack.ts';

/** One for the process: downloads under way and directories in use are shared by all of its callers. */
const cache = createArtefactCache();

/**
 * Brings an artefact's package into `cacheDir`, unpacked, and answers where it is. Every call asks the registry
 * whether there is something newer; when there is not, that is all it does.
 *
 * @throws TypeError when an option is unknown, missing or wrong
 * @throws RegistryError when the registry refuses (401, 403, 404), stays out of reach, or gives bytes that are not
 *   what it says
 * @throws ArchiveError when the tarball is damaged or holds what would land outside
 * @throws BuildError when native modules cannot be built; directories that were handed out before stay /
 */
export const ensureArtefact = cache.ensureArtefact;

/**
 * Brings the file of a file artefact to exactly `<cacheDir>/<fileName>` and answers its path and digest. Every call
 * asks the registry whether there is something newer; a download goes on where an earlier one, of another process too,
 * was interrupted, and replaces the file when it is whole.
 *
 * @throws TypeError when an option is unknown, missing or wrong, or when the id cannot be a file name and none is
 *   given
 * @throws RegistryError when the registry refuses (401, 403, 404), stays out of reach, or gives bytes that are not
 *   what it says /
 */
export const ensureArtefactFile = cache.ensureArtefactFile;

/**
 * Tells that a directory from `ensureArtefact` is not used any more, once for each time it was handed out; then it may
 * be removed when it is out of date. Without this call directories stay as long as the process. /
 */
export const releaseArtefact = cache.releaseArtefact;
