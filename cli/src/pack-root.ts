// Stages the content of a build folder as a package of its own, so that it is at the root of the tarball.

import { cp, lstat, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** The fields of a package.json that are read here; it may contain anything. */
export interface PackageManifest {
  name?: unknown;
  version?: unknown;
  dependencies?: Record<string, string>;
  registry?: { category?: unknown; line?: unknown } | null;
  [field: string]: unknown;
}

/** Fields with paths of files, which are below the build folder. */
const PATH_FIELDS = ['main', 'module', 'browser', 'types', 'typings', 'exports', 'imports', 'bin', 'man'];
/** Fields that are about the project: its scripts have run, and what is packed is all that is in the folder. */
const PROJECT_FIELDS = ['files', 'scripts', 'directories', 'workspaces', 'bundleDependencies', 'bundledDependencies'];
/** npm would leave out what git ignores, and build tools write a .gitignore of `*` into their output. */
const GIT_IGNORE = '.gitignore';

/**
 * Copies the content of `root`, a folder in the project, to `target`, with the project's manifest.
 * @throws Error if `root` is no folder in the project, or contains a symbolic link, which npm would leave out
 */
export async function stageRoot(project: string, root: string, manifest: PackageManifest, target: string) {
  const folder = resolve(project, root);
  const path = relative(project, folder);
  if (path === '' || isAbsolute(path) || path.split(sep)[0] === '..')
    throw new Error(`--root must be a folder inside ${project}`);
  const isFolder = await stat(folder).then(
    (it) => it.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new Error(`there is no folder ${folder}: build the package before it is published`);
  await mkdir(target);
  await cp(folder, target, {
    recursive: true,
    filter: async (source) => {
      const isRoot = source === folder;
      if (!isRoot && ['node_modules', GIT_IGNORE].includes(basename(source))) return false;
      if (!isRoot && (await lstat(source)).isSymbolicLink())
        throw new Error(`${source} is a symbolic link, which npm does not pack: replace it by a copy`);
      return true;
    },
  });
  const built = await readBuiltManifest(target);
  await writeFile(join(target, 'package.json'), `${JSON.stringify(adapt(manifest, path, built), null, 2)}\n`);
}

/** Of a package.json in the build folder, only `type` counts: it tells how the files around it are read. */
function adapt(manifest: PackageManifest, root: string, { type }: PackageManifest): PackageManifest {
  const kept = Object.entries(manifest).filter(([field]) => !PROJECT_FIELDS.includes(field));
  const prefix = `${root.split(sep).join('/')}/`;
  const adapted = kept.map(([field, value]) => [field, PATH_FIELDS.includes(field) ? moved(value, prefix) : value]);
  return { ...(Object.fromEntries(adapted) as PackageManifest), ...(type !== undefined && { type }) };
}

/** Makes paths relative to the folder, in lists and maps as well. @param prefix such as `dist/` */
function moved(value: unknown, prefix: string): unknown {
  if (typeof value === 'string') {
    const [, dot = '', path = ''] = /^(\.\/)?(.*)$/s.exec(value) ?? [];
    return path.startsWith(prefix) ? dot + path.slice(prefix.length) : value;
  }
  if (Array.isArray(value)) return value.map((item) => moved(item, prefix));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, moved(item, prefix)]));
}

async function readBuiltManifest(folder: string): Promise<PackageManifest> {
  try {
    return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as PackageManifest;
  } catch {
    return {};
  }
}
