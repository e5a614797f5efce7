// Slices and layers: what a path of `api/src` means, and which file may import which.

import { posix } from 'node:path';
import type { Import, SourceFile } from './source-files.ts';

/**
 * Slices from the lowest to the highest; a slice may import those of its own line and of earlier ones. `config` is the
 * highest, so no slice imports it.
 */
export const SLICES = [
  ['tracing'],
  ['errors', 'db', 'digests', 'fingerprints', 'jobs', 'http', 'mail', 'outbound', 'patterns', 'workers'],
  ['access', 'clients'],
  ['audit', 'attempts'],
  ['events'],
  ['blobs'],
  ['accounts'],
  ['api-keys'],
  ['trusted-publishers'],
  ['tarballs'],
  ['artefacts'],
  ['uploads'],
  ['thumbnails'],
  ['upstream'],
  ['remotes', 'backup'],
  ['bundles'],
  ['config'],
];

/**
 * The layers that a file may import within its slice, by the layer of its own name: `face` is index.ts, `main` the
 * file named after the slice, `service` every name without a meaning of its own.
 */
const LAYERS = {
  face: ['main', 'routes', 'service', 'repository', 'operations', 'shapes', 'driver'],
  main: ['routes', 'service', 'repository', 'operations', 'shapes', 'driver'],
  routes: ['routes', 'service', 'repository', 'operations', 'shapes'],
  service: ['service', 'repository', 'operations', 'shapes'],
  repository: ['repository', 'operations', 'shapes'],
  operations: ['operations', 'shapes'],
  driver: ['service', 'operations', 'shapes', 'driver'],
  shapes: ['operations', 'shapes'],
} as const;
export type Layer = keyof typeof LAYERS;

/** Libraries without I/O. */
const PURE_LIBRARIES = new Set([
  'node:crypto',
  'node:path',
  'node:url',
  'node:util',
  'node:buffer',
  'croner',
  'semver',
  'typebox',
]);
export const SQL_LIBRARIES = new Set(['kysely', 'pg', 'node:sqlite']);

export const isConfiguration = (path: string) => path.startsWith('api/src/config/') || path === 'api/src/secrets.ts';
export const startsTheProcess = (path: string) =>
  [
    'api/server.ts',
    'api/index.ts',
    'api/src/open.ts',
    'api/src/bundle-commands.ts',
    'api/src/services.ts',
    'api/src/maintenance.ts',
    'api/src/secret-check.ts',
    'api/src/secret-commands.ts',
  ].includes(path);

/** `errors` for `api/src/errors.ts`, `db` for `api/src/db/…`; undefined for files such as app.ts. */
export function sliceOf(path: string): string | undefined {
  return path === 'api/src/errors.ts' ? 'errors' : /^api\/src\/([^/]+)\//.exec(path)?.[1];
}

export function layerOf(path: string): Layer {
  const name = posix.basename(path, '.ts');
  if (/^api\/src\/[^/]+\/index\.ts$/.test(path)) return 'face';
  if (posix.basename(posix.dirname(path)) === 'drivers') return 'driver';
  if (name === 'schemas' || name === 'errors') return 'shapes';
  if (name === 'policy') return 'operations';
  if (/^api\/src\/([^/]+)\/\1\.ts$/.test(path)) return 'main';
  return (
    (['routes', 'repository', 'operations'] as const).find((layer) => name === layer || name.endsWith(`-${layer}`)) ??
    'service'
  );
}

/** The main file of a driver: `drivers/fs.ts` for `drivers/fs-reader.ts`. */
export const driverOf = (path: string) => path.replace(/(drivers\/[^-/.]+)[^/]*$/, '$1.ts');

/** Whether a layer may import another one in its slice. Repositories and operations may import types of services. */
export function mayImportLayer(importer: Layer, imported: Layer, { typeOnly }: Import): boolean {
  if (typeOnly && imported === 'service' && (importer === 'repository' || importer === 'operations')) return true;
  return (LAYERS[importer] as readonly Layer[]).includes(imported);
}

/**
 * Finds services that reach neither I/O nor storage: they count as operations whatever their name. A file that only
 * imports the type of a repository is handed one, and so reaches storage.
 */
export function findComputing(files: SourceFile[]): Set<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reachesStorage = (it: Import) =>
    doesInputOutput(it) ||
    ['db', 'jobs', 'blobs'].includes(sliceOf(it.file ?? '') ?? '') ||
    (it.typeOnly && layerOf(it.file ?? '') === 'repository');
  const computes = (file: SourceFile) =>
    reachable(file, byPath).every(
      (dependency) => layerOf(dependency.path) !== 'repository' && !dependency.imports.some(reachesStorage),
    );
  return new Set(files.filter((file) => layerOf(file.path) === 'service' && computes(file)).map((file) => file.path));
}

/** Whether a file of the server may import another one, as far as their slices decide. */
export function mayImportFile(importer: string, imported: string): boolean {
  const from = sliceOf(importer);
  const to = sliceOf(imported);
  if (!to) return !from;
  if (from === to) return true;
  const isFace = to === 'errors' || imported === `api/src/${to}/index.ts`;
  return (
    (isFace || isThreadProgram(importer)) &&
    heightOf(to) >= 0 &&
    (!from || (heightOf(from) >= heightOf(to) && from !== 'errors'))
  );
}

/** A worker thread program imports single files: an index.ts would load the whole slice and its dependencies. */
const isThreadProgram = (path: string) => path.endsWith('-worker.ts');

/** Position of a slice in SLICES, from 0; -1 for an unlisted one. */
const heightOf = (slice: string) => SLICES.findIndex((line) => line.includes(slice));

/** The file and the files of its slice that it imports, directly or not; type imports do not count. */
export function reachable(
  file: SourceFile,
  byPath: Map<string, SourceFile>,
  reached = new Set<SourceFile>(),
): SourceFile[] {
  reached.add(file);
  for (const it of file.imports) {
    const next =
      it.file === undefined || it.typeOnly || sliceOf(it.file) !== sliceOf(file.path)
        ? undefined
        : byPath.get(it.file);
    if (next && !reached.has(next)) reachable(next, byPath, reached);
  }
  return [...reached];
}

export function doesInputOutput({ library, typeOnly }: Import): boolean {
  if (library === undefined || PURE_LIBRARIES.has(library)) return false;
  return !typeOnly || library === 'fastify' || SQL_LIBRARIES.has(library);
}
