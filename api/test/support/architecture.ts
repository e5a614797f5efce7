// The rules of the house, as pure functions from its source files to what breaks them: who may know whom, what a
// file name promises, sizes. Reading the files lives in source-files.ts, the map for readers in docs/architecture.md.

import { posix } from 'node:path';
import type { Import, PackageName, SourceFile } from './source-files.ts';

/** Slices by height: one may know those further up in this list. The foundations share the first line. */
export const SLICES = [
  ['errors', 'db', 'digests', 'jobs', 'http', 'mail', 'outbound', 'patterns', 'workers'],
  ['access', 'clients'],
  ['audit', 'attempts'],
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
];

/**
 * What a file of a slice may know of its own slice, by what its name says it is: `face` is index.ts, `main` the file
 * named after the slice, which puts it together, `service` every name without a meaning of its own.
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
type Layer = keyof typeof LAYERS;

/** The other packages that each may import, and how; scripts and docs may import all. */
const PACKAGE_IMPORTS: Partial<
  Record<PackageName, { always: PackageName[]; dynamic?: PackageName[]; inTests?: PackageName[] }>
> = {
  'api': { always: [], inTests: ['lib-node', 'cli', 'scripts'] },
  'lib-node': { always: [] },
  'cli': { always: ['lib-node'], dynamic: ['api'], inTests: ['scripts'] },
  'ui': { always: [], inTests: ['api', 'scripts'] },
  'bench': { always: ['lib-node', 'cli', 'scripts'] },
};

/** The one file of lib-node that the server takes in, by its path, and the folder around it, which stands alone. */
const SHARED_FACE = 'lib-node/src/tar/index.ts';
const isShared = (path: string) => path.startsWith(posix.dirname(SHARED_FACE) + '/');

/** What computes only. */
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
const SQL_LIBRARIES = new Set(['kysely', 'pg', 'node:sqlite']);
const NAMES_BY_KIND = new Set(['util', 'utils', 'helper', 'helpers', 'controllers', 'models']);
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/;
const MAX_LINES = 400;
/** Of ui/src/pages: more belongs into a feature or a composable. */
const MAX_PAGE_LINES = 150;
const MAX_LINES_WITHOUT_REASON = 300;

export interface HouseRules {
  /**
   * Names that each package's package.json lists: those that its code may import, and those that its tests may too.
   */
  dependencies: Partial<Record<PackageName, { code: Set<string>; tests: Set<string> }>>;
  /** Why a file has more than 300 lines, by its path. */
  reasonsForLength: Record<string, string>;
}

/** Returns what breaks a rule, in lines like `api/src/db/migrate.ts:3 imports ../http/index.ts`. */
type Rule = (files: SourceFile[], house: HouseRules) => string[];

/** Every rule, by the sentence that it keeps. */
export const RULES = {
  'inside a slice, routes know services, services know repositories and operations': (files) => {
    const computing = findComputing(server(files));
    const layer = (path: string) => (computing.has(path) ? 'operations' : layerOf(path));
    return server(files).flatMap((file) => {
      const slice = sliceOf(file.path);
      return file.imports
        .filter(
          (it) =>
            slice &&
            it.file !== undefined &&
            sliceOf(it.file) === slice &&
            !mayKnow(layer(file.path), layer(it.file), it),
        )
        .map(at(file));
    });
  },

  'a slice knows another only further down, and only through its index.ts, but for the program of a thread': (files) =>
    server(files).flatMap((file) => {
      return file.imports.filter((it) => it.file?.startsWith('api/') && !mayEnter(file.path, it.file)).map(at(file));
    }),

  'no slices know each other in a circle': (files) => findCycles(server(files)),

  'no files import each other in a circle, types included': (files) => findFileCycles(files),

  'only the start of the process knows the configuration and the environment': (files) =>
    server(files).flatMap((file) => {
      if (startsTheProcess(file.path)) return [];
      const configuration = file.imports
        .filter((it) => it.file !== undefined && isConfiguration(it.file))
        .map(at(file));
      return isConfiguration(file.path)
        ? []
        : [...configuration, ...file.environmentReads.map((line) => `${file.path}:${line} reads process.env`)];
    }),

  'no module of the server holds state': (files) =>
    server(files).flatMap((file) =>
      file.mutableState.map((line) => `${file.path}:${line} declares a variable of the module`),
    ),

  'a driver knows its interface and one library, and a test runs it': (files) => {
    const drivers = Object.groupBy(
      server(files).filter((file) => layerOf(file.path) === 'driver'),
      (file) => driverOf(file.path),
    );
    return Object.entries(drivers).flatMap(([driver, parts = []]) => checkDriver(driver, parts, files));
  },

  'operations and the policy compute and do no I/O': (files) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    return server(files)
      .filter((file) => layerOf(file.path) === 'operations')
      .flatMap((file) =>
        reachable(file, byPath).flatMap((reached) =>
          reached.imports.filter((it) => doesInputOutput(it)).map(at(reached)),
        ),
      );
  },

  'SQL is in repositories and in db/ alone': (files) =>
    server(files).flatMap((file) => {
      if (layerOf(file.path) === 'repository' || sliceOf(file.path) === 'db') return [];
      const typesAllowed = layerOf(file.path) === 'service';
      return [
        ...file.imports
          .filter((it) => SQL_LIBRARIES.has(it.library ?? '') && !(it.typeOnly && typesAllowed))
          .map(at(file)),
        ...file.queries.map((line) => `${file.path}:${line} begins an SQL statement`),
      ];
    }),

  'the index.ts of a slice has named re-exports alone': (files) =>
    server(files)
      .filter((file) => layerOf(file.path) === 'face')
      .flatMap((file) => file.logic.map((line) => `${file.path}:${line} is no named re-export`)),

  'a package imports only those packages that it may know': (files) =>
    files.flatMap((file) => {
      return file.imports.filter((it) => !mayImportPackage(file, packageOf(it), it)).map(at(file));
    }),

  'a package imports only what its package.json lists': (files, { dependencies }) =>
    files.flatMap((file) => {
      const listed = file.isTest ? dependencies[file.package]?.tests : dependencies[file.package]?.code;
      return file.imports
        .filter(
          (it) =>
            listed &&
            it.library !== undefined &&
            packageOf(it) === undefined &&
            !it.library.startsWith('node:') &&
            !listed.has(it.library),
        )
        .map(at(file));
    }),

  'what the server takes in from lib-node stands alone, and needs only what both list': (files, { dependencies }) => {
    return files
      .filter((file) => isShared(file.path))
      .flatMap((file) =>
        file.imports
          .filter((it) => {
            const isListed = it.library !== undefined && dependencies.api?.code.has(it.library) === true;
            return !isListed && !(it.file !== undefined && isShared(it.file));
          })
          .map(at(file)),
      );
  },

  'imports name their file': (files) =>
    files.flatMap((file) => {
      return file.imports
        .filter((it) => it.specifier === '' && file.package === 'api' && !file.isTest)
        .map((it) => `${file.path}:${it.line} computes what it imports`);
    }),

  'files are named in kebab-case and after what they hold': (files) =>
    files.flatMap(({ path }) => {
      const names = path.replace(/\.(ts|vue)$/, '').split('/');
      return [
        ...(names.some((name) => NAMES_BY_KIND.has(name)) ? [`${path} is named after its kind`] : []),
        ...(path.endsWith('.ts') && !KEBAB_CASE.test(posix.basename(path)) ? [`${path} is not in kebab-case`] : []),
      ];
    }),

  'in the web interface, pages know features, features know components, and nothing knows what stands above it': (
    files,
  ) =>
    files
      .filter((file) => file.path.startsWith('ui/src/'))
      .flatMap((file) =>
        file.imports
          .filter((it) => it.file !== undefined && heightInUi(it.file) > heightInUi(file.path))
          .map((it) => at(file)(it)),
      ),

  'a page of the web interface has at most 150 lines': (files) =>
    files
      .filter(({ path, lineCount }) => path.startsWith('ui/src/pages/') && lineCount > MAX_PAGE_LINES)
      .map(({ path, lineCount }) => `${path} has ${lineCount} lines`),

  'a file over 300 lines has a reason, and none has over 400': (files, { reasonsForLength }) => [
    ...files
      .filter(({ lineCount }) => lineCount > MAX_LINES)
      .map((file) => `${file.path} has ${file.lineCount} lines`),
    ...files
      .filter(
        ({ path, lineCount }) =>
          lineCount > MAX_LINES_WITHOUT_REASON && lineCount <= MAX_LINES && !(path in reasonsForLength),
      )
      .map((file) => `${file.path} has ${file.lineCount} lines and no reason`),
    ...Object.keys(reasonsForLength)
      .filter((path) => !files.some((file) => file.path === path && file.lineCount > MAX_LINES_WITHOUT_REASON))
      .map((path) => `${path} has a reason for a length that it does not have`),
  ],
} satisfies Record<string, Rule>;

/** How high a file of the web interface stands; the application itself, which puts all together, highest. */
function heightInUi(path: string): number {
  const layers = ['composables', 'components', 'features', 'pages'];
  const [, folder = ''] = /^ui\/src\/([^/]+)\//.exec(path) ?? [];
  return folder === ''
    ? /^ui\/src\/(app\.vue|routes\.ts|main\.ts)$/.test(path)
      ? layers.length
      : -1
    : layers.indexOf(folder);
}

const server = (files: SourceFile[]) => files.filter((file) => file.package === 'api' && !file.isTest);
const at = (file: SourceFile) => (it: Import) => `${file.path}:${it.line} imports ${it.specifier}`;

const isConfiguration = (path: string) => path === 'api/src/config.ts' || path === 'api/src/secrets.ts';
const startsTheProcess = (path: string) =>
  [
    'api/server.ts',
    'api/index.ts',
    'api/src/open.ts',
    'api/src/bundle-commands.ts',
    'api/src/services.ts',
    'api/src/maintenance.ts',
  ].includes(path);

/** `errors` for `api/src/errors.ts`, `db` for `api/src/db/…`; nothing for the frame around them: app.ts, server.ts. */
function sliceOf(path: string): string | undefined {
  return path === 'api/src/errors.ts' ? 'errors' : /^api\/src\/([^/]+)\//.exec(path)?.[1];
}

function layerOf(path: string): Layer {
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
const driverOf = (path: string) => path.replace(/(drivers\/[^-/.]+)[^/]*$/, '$1.ts');

/** Repositories and operations may take the types of what services work on. */
function mayKnow(importer: Layer, imported: Layer, { typeOnly }: Import): boolean {
  if (typeOnly && imported === 'service' && (importer === 'repository' || importer === 'operations')) return true;
  return (LAYERS[importer] as readonly Layer[]).includes(imported);
}

/** Finds the files that compute only and so are operations whatever their name: they reach neither I/O nor storage. */
function findComputing(files: SourceFile[]): Set<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const touches = (it: Import) =>
    doesInputOutput(it) || ['db', 'jobs', 'blobs'].includes(sliceOf(it.file ?? '') ?? '');
  const computes = (file: SourceFile) =>
    reachable(file, byPath).every(
      (reached) => layerOf(reached.path) !== 'repository' && !reached.imports.some(touches),
    );
  return new Set(files.filter((file) => layerOf(file.path) === 'service' && computes(file)).map((file) => file.path));
}

function mayEnter(importer: string, imported: string): boolean {
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

/** Loads what its thread runs and nothing more: an index.ts would bring the whole server along. */
const isThreadProgram = (path: string) => path.endsWith('-worker.ts');

/** How far down the list a slice stands; -1 when nobody has said yet. */
const heightOf = (slice: string) => SLICES.findIndex((line) => line.includes(slice));

function checkDriver(driver: string, parts: SourceFile[], files: SourceFile[]): string[] {
  const imports = parts.flatMap((part) => part.imports);
  const interfaces = new Set(
    imports.flatMap(({ file }) => (file !== undefined && layerOf(file) === 'service' ? [file] : [])),
  );
  const vendors = new Set(
    imports.flatMap(({ library }) => (library?.startsWith('node:') === false ? [library.split('/')[0]] : [])),
  );
  const isForeign = ({ file }: Import) =>
    file !== undefined &&
    (layerOf(file) === 'driver' ? driverOf(file) !== driver : ![sliceOf(driver), 'errors'].includes(sliceOf(file)));
  const isTested = files.some((file) => file.isTest && file.imports.some((it) => it.file === driver));
  return [
    ...parts.flatMap((part) => part.imports.filter(isForeign).map(at(part))),
    ...(interfaces.size > 1 ? [`${driver} knows more than its interface: ${[...interfaces].join(', ')}`] : []),
    ...(vendors.size > 1 ? [`${driver} knows more than one library: ${[...vendors].join(', ')}`] : []),
    ...(isTested ? [] : [`${driver} is in no test`]),
  ];
}

function findCycles(files: SourceFile[]): string[] {
  const known = new Map<string, Set<string>>();
  for (const file of files) {
    const from = sliceOf(file.path);
    for (const { file: imported } of file.imports) {
      const to = imported === undefined ? undefined : sliceOf(imported);
      if (from && to && from !== to) known.set(from, (known.get(from) ?? new Set()).add(to));
    }
  }
  const reaches = (from: string, to: string, seen: Set<string>): boolean => {
    return [...(known.get(from) ?? [])].some(
      (next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))),
    );
  };
  const circle = [...known.keys()].filter((slice) => reaches(slice, slice, new Set())).sort();
  return circle.length > 0 ? [`${circle.join(', ')} know each other in a circle`] : [];
}

/** The strongly connected parts of the graph of imports (Tarjan), each as a line. */
function findFileCycles(files: SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const circles: string[] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.size - 1);
    open.push(path);
    for (const { file: next } of byPath.get(path)?.imports ?? []) {
      if (next === undefined || next === path || !byPath.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (open.includes(next)) low.set(path, Math.min(low.get(path)!, low.get(next)!));
    }
    if (low.get(path) !== order.get(path)) return;
    const part = open.splice(open.indexOf(path));
    if (part.length > 1) circles.push(`${part.sort().join(', ')} import each other in a circle`);
  };
  for (const { path } of files) if (!order.has(path)) visit(path);
  return circles.sort();
}

/** The file and what it runs of its own slice. */
function reachable(file: SourceFile, byPath: Map<string, SourceFile>, reached = new Set<SourceFile>()): SourceFile[] {
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

function doesInputOutput({ library, typeOnly }: Import): boolean {
  if (library === undefined || PURE_LIBRARIES.has(library)) return false;
  return !typeOnly || library === 'fastify' || SQL_LIBRARIES.has(library);
}

function packageOf({ file, library }: Import): PackageName | undefined {
  const name = file === undefined ? /^@berth-registry\/(.+)$/.exec(library ?? '')?.[1] : file.split('/')[0];
  return name as PackageName | undefined;
}

function mayImportPackage(file: SourceFile, imported: PackageName | undefined, it: Import): boolean {
  const allowed = PACKAGE_IMPORTS[file.package];
  if (file.package === 'api' && it.file === SHARED_FACE) return true;
  if (!allowed || !imported || imported === file.package || allowed.always.includes(imported)) return true;
  const isForTests = file.isTest && it.file?.startsWith('api/test/support/') === true;
  if (imported === 'api' && it.file !== undefined && it.file !== 'api/index.ts' && !isForTests) return false;
  return (
    (it.dynamic && allowed.dynamic?.includes(imported) === true) ||
    (file.isTest && allowed.inTests?.includes(imported) === true)
  );
}
