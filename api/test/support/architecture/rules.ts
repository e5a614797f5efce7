// The architecture rules: pure functions from the source files to the violations that they contain.
// slices.ts, cycles.ts and packages.ts say what a path means; docs/architecture.md explains the rules.

import { posix } from 'node:path';
import { findFileCycles, findSliceCycles } from './cycles.ts';
import { isShared, mayImportPackage, packageOf } from './packages.ts';
import {
  doesInputOutput,
  driverOf,
  findComputing,
  isConfiguration,
  layerOf,
  mayImportFile,
  mayImportLayer,
  reachable,
  sliceOf,
  SQL_LIBRARIES,
  startsTheProcess,
} from './slices.ts';
import type { Import, PackageName, SourceFile } from './source-files.ts';

/** Folders and files named after their kind, not after their content. */
const NAMES_BY_KIND = new Set(['util', 'utils', 'helper', 'helpers', 'controllers', 'models']);
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/;
const MAX_LINES = 300;
/** Of a file in ui/src/pages; the rest belongs into a feature or a composable. */
const MAX_PAGE_LINES = 150;

/** The libraries in each package's package.json: those that its code may import, and those that its tests may. */
export type Dependencies = Partial<Record<PackageName, { code: Set<string>; tests: Set<string> }>>;

/** Returns the violations, each as a line such as `api/src/db/migrate.ts:3 imports ../http/index.ts`. */
type Rule = (files: SourceFile[], dependencies: Dependencies) => string[];

/** Every rule, by its sentence. */
export const RULES = {
  'within a slice, routes import services, and services import repositories and operations': (files) => {
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
            !mayImportLayer(layer(file.path), layer(it.file), it),
        )
        .map(at(file));
    });
  },

  'a slice imports only lower slices, and only their index.ts, except in worker thread programs': (files) =>
    server(files).flatMap((file) =>
      file.imports.filter((it) => it.file?.startsWith('api/') && !mayImportFile(file.path, it.file)).map(at(file)),
    ),

  'slices have no import cycles': (files) => findSliceCycles(server(files)),

  'files have no import cycles, types included': (files) => findFileCycles(files),

  'only the files that start the process read the configuration and the environment': (files) =>
    server(files)
      .filter((file) => !startsTheProcess(file.path) && !isConfiguration(file.path))
      .flatMap((file) => [
        ...file.imports.filter((it) => it.file !== undefined && isConfiguration(it.file)).map(at(file)),
        ...file.environmentReads.map((line) => `${file.path}:${line} reads process.env`),
      ]),

  'no module of the server holds state': (files) =>
    server(files).flatMap((file) =>
      file.mutableState.map((line) => `${file.path}:${line} declares a module-level variable`),
    ),

  'a driver imports its interface and one library, and a test runs it': (files) => {
    const drivers = Object.groupBy(
      server(files).filter((file) => layerOf(file.path) === 'driver'),
      (file) => driverOf(file.path),
    );
    return Object.entries(drivers).flatMap(([driver, parts = []]) => checkDriver(driver, parts, files));
  },

  'operations and the policy do no I/O': (files) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    return server(files)
      .filter((file) => layerOf(file.path) === 'operations')
      .flatMap((file) =>
        reachable(file, byPath).flatMap((dependency) =>
          dependency.imports.filter((it) => doesInputOutput(it)).map(at(dependency)),
        ),
      );
  },

  'only repositories and db/ contain SQL': (files) =>
    server(files).flatMap((file) => {
      if (layerOf(file.path) === 'repository' || sliceOf(file.path) === 'db') return [];
      const typesAllowed = layerOf(file.path) === 'service';
      return [
        ...file.imports
          .filter((it) => SQL_LIBRARIES.has(it.library ?? '') && !(it.typeOnly && typesAllowed))
          .map(at(file)),
        ...file.queries.map((line) => `${file.path}:${line} builds an SQL statement`),
      ];
    }),

  'work for the caller of a request runs in transactions of changeAs, which reads the caller again': (files) =>
    server(files)
      .filter(
        ({ path, imports }) => sliceOf(path) !== 'access' && imports.some(({ names }) => names.includes('Actor')),
      )
      .flatMap((file) => file.transactions.map((line) => `${file.path}:${line} begins a transaction of its own`)),

  'changes are recorded by recordChange, for the audit log and for consumers': (files) =>
    server(files)
      .filter(({ path }) => sliceOf(path) !== 'audit' && path !== 'api/src/events/record.ts')
      .flatMap((file) => file.imports.filter(({ names }) => names.includes('appendAudit')).map(at(file))),

  'the index.ts of a slice contains only named re-exports': (files) =>
    server(files)
      .filter((file) => layerOf(file.path) === 'face')
      .flatMap((file) => file.logic.map((line) => `${file.path}:${line} is not a named re-export`)),

  'a package imports only the packages that it may depend on': (files) =>
    files.flatMap((file) => file.imports.filter((it) => !mayImportPackage(file, packageOf(it), it)).map(at(file))),

  'a package imports only the libraries in its package.json': (files, dependencies) =>
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

  'the part of lib-node that the server shares imports only itself and libraries in both package.json': (
    files,
    dependencies,
  ) =>
    files
      .filter((file) => isShared(file.path))
      .flatMap((file) =>
        file.imports
          .filter((it) => {
            const isListed = it.library !== undefined && dependencies.api?.code.has(it.library) === true;
            return !isListed && !(it.file !== undefined && isShared(it.file));
          })
          .map(at(file)),
      ),

  'the server imports no computed paths': (files) =>
    server(files).flatMap((file) =>
      file.imports.filter((it) => it.specifier === '').map((it) => `${file.path}:${it.line} imports a computed path`),
    ),

  'files have kebab-case names that describe their content': (files) =>
    files.flatMap(({ path }) => {
      const names = path.replace(/\.(ts|vue)$/, '').split('/');
      return [
        ...(names.some((name) => NAMES_BY_KIND.has(name)) ? [`${path} is named after its kind`] : []),
        ...(path.endsWith('.ts') && !KEBAB_CASE.test(posix.basename(path)) ? [`${path} is not in kebab-case`] : []),
      ];
    }),

  'in the web interface, pages import features, features import components, and nothing imports upwards': (files) =>
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

  'a file has at most 300 lines': (files) =>
    files
      .filter(({ lineCount }) => lineCount > MAX_LINES)
      .map(({ path, lineCount }) => `${path} has ${lineCount} lines`),
} satisfies Record<string, Rule>;

const server = (files: SourceFile[]) => files.filter((file) => file.package === 'api' && !file.isTest);
const at = (file: SourceFile) => (it: Import) => `${file.path}:${it.line} imports ${it.specifier}`;

/** Layer of a file in the web interface, from 0; the files that assemble the application are the highest. */
function heightInUi(path: string): number {
  const layers = ['composables', 'components', 'features', 'pages'];
  const [, folder = ''] = /^ui\/src\/([^/]+)\//.exec(path) ?? [];
  if (folder !== '') return layers.indexOf(folder);
  return /^ui\/src\/(app\.vue|routes\.ts|main\.ts)$/.test(path) ? layers.length : -1;
}

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
    ...(interfaces.size > 1 ? [`${driver} imports more than its interface: ${[...interfaces].join(', ')}`] : []),
    ...(vendors.size > 1 ? [`${driver} imports more than one library: ${[...vendors].join(', ')}`] : []),
    ...(isTested ? [] : [`${driver} is not run by any test`]),
  ];
}
