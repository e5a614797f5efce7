// Builds the packages that the registry serves at /clients, as npm tarballs in clients/dist: the client library and
// the command line, with all dependencies bundled, so that installing them needs no other registry.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { repositoryRoot } from './runtime.ts';

export const CLIENTS_DIRECTORY = join(repositoryRoot, 'clients/dist');
/** Digest of the sources of the existing build; written last. */
const STAMP = join(CLIENTS_DIRECTORY, 'sources.sha256');
const SOURCES = [
  '{cli,lib-node}/src/**/*.ts',
  '{cli,lib-node}/{package,tsconfig}.json',
  'cli/bin/*.js',
  'lib-node/README.md',
  'LICENSE',
  'package-lock.json',
  'scripts/build-clients.ts',
  'tsconfig.base.json',
];
/** The only package that is not bundled: `berth serve` loads the server that is installed beside it. */
const SERVER_PACKAGE = '@berth-registry/api';
/** The time that `npm pack` gives all files, so that builds are reproducible. */
const MODIFIED_AT = new Date('1985-10-26T08:15:00.000Z');

interface ClientSources {
  /** Folder of the package, and its name in the registry. */
  name: 'cli' | 'lib-node';
  /** Compiled entry points by their names in `dist/`. */
  entries: Record<string, string>;
  /** Entry point of the types. */
  types?: string;
  /** Additional files from the package's folder. */
  files: string[];
}

const UNPACK_WORKER = 'lib-node/dist/unpack-worker.js';
const CLIENTS: ClientSources[] = [
  {
    name: 'cli',
    entries: { 'main': 'cli/dist/main.js', 'unpack-worker': UNPACK_WORKER },
    files: ['bin/berth.js'],
  },
  {
    name: 'lib-node',
    entries: { 'index': 'lib-node/dist/index.js', 'unpack-worker': UNPACK_WORKER },
    types: 'lib-node/dist/index.d.ts',
    files: ['README.md'],
  },
];

type Manifest = { name: string; version: string; bin?: Record<string, string> } & Record<string, unknown>;

if (import.meta.main) await buildClients({ ifChanged: process.argv.includes('--if-changed') });

/**
 * Compiles, bundles and packs the two packages.
 *
 * @param options.ifChanged do nothing if the sources have not changed since the existing build
 */
export async function buildClients({ ifChanged }: { ifChanged: boolean }): Promise<void> {
  const sources = digestOfSources();
  if (ifChanged && (await readFile(STAMP, 'utf8').catch(() => undefined)) === sources) return;
  const tsc = join(repositoryRoot, 'node_modules/.bin/tsc');
  execFileSync(tsc, ['-b', 'lib-node', 'cli'], { cwd: repositoryRoot, stdio: 'inherit' });
  await mkdir(CLIENTS_DIRECTORY, { recursive: true });
  const index = [];
  for (const client of CLIENTS) {
    const { manifest, tarball } = await pack(client);
    await replace(join(CLIENTS_DIRECTORY, `${client.name}.tgz`), tarball);
    index.push({ name: client.name, packageName: manifest.name, version: manifest.version });
  }
  await replace(join(CLIENTS_DIRECTORY, 'clients.json'), `${JSON.stringify(index, null, 2)}\n`);
  await replace(STAMP, sources);
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const path of globSync(SOURCES, { cwd: repositoryRoot }).sort()) {
    hash.update(path).update(readFileSync(join(repositoryRoot, path)));
  }
  return hash.digest('hex');
}

/** Replaces a file atomically: a server may be reading it. */
async function replace(path: string, content: Buffer | string): Promise<void> {
  await writeFile(`${path}.${process.pid}`, content);
  await rename(`${path}.${process.pid}`, path);
}

async function pack(client: ClientSources): Promise<{ manifest: Manifest; tarball: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-client-'));
  try {
    await bundle(client, folder);
    for (const path of client.files) await cp(join(repositoryRoot, client.name, path), join(folder, path));
    for (const path of client.types === undefined ? [] : typesFrom(client.types)) {
      await cp(join(repositoryRoot, path), join(folder, posix.relative(client.name, path)));
    }
    await cp(join(repositoryRoot, 'LICENSE'), join(folder, 'LICENSE'));
    const manifest = await manifestOf(client.name);
    await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    return { manifest, tarball: await tarballOf(folder, new Set(Object.values(manifest.bin ?? {}))) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Writes `dist/` and the licences of the bundled packages. All chunks are in one folder, since lib-node finds its
 * worker thread by a relative path.
 */
async function bundle({ entries }: ClientSources, folder: string): Promise<void> {
  const { build } = await import('vite');
  await build({
    configFile: false,
    envDir: false,
    publicDir: false,
    root: repositoryRoot,
    logLevel: 'warn',
    ssr: { noExternal: true },
    build: {
      ssr: true,
      target: 'node20.19',
      minify: false,
      outDir: folder,
      emptyOutDir: false,
      license: { fileName: 'LICENSES.md' },
      rolldownOptions: {
        input: entries,
        external: [SERVER_PACKAGE],
        output: { entryFileNames: 'dist/[name].js', chunkFileNames: 'dist/[name]-[hash].js' },
      },
    },
  });
}

/** The declaration files that an entry point imports, directly or not, including itself. */
function typesFrom(path: string, paths = new Set<string>()): Set<string> {
  paths.add(path);
  const declarations = readFileSync(join(repositoryRoot, path), 'utf8');
  for (const [, next = ''] of declarations.matchAll(/(?:\bfrom |\bimport\()['"](\.[^'"]+)\.ts['"]/g)) {
    const target = posix.join(dirname(path), `${next}.d.ts`);
    if (!paths.has(target)) typesFrom(target, paths);
  }
  return paths;
}

/** The manifest without dependencies and scripts. JSON omits undefined fields. */
async function manifestOf(name: string): Promise<Manifest> {
  const manifest = JSON.parse(await readFile(join(repositoryRoot, name, 'package.json'), 'utf8')) as Manifest;
  return {
    ...manifest,
    scripts: undefined,
    files: undefined,
    dependencies: undefined,
    devDependencies: undefined,
    optionalDependencies: undefined,
    peerDependencies: undefined,
    peerDependenciesMeta: undefined,
  };
}

/** Packs a folder like `npm pack`, with modes that do not depend on the umask. */
async function tarballOf(folder: string, programs: ReadonlySet<string>): Promise<Buffer> {
  const { create } = await import('tar');
  const paths = globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  for (const path of paths) await chmod(join(folder, path), programs.has(path) ? 0o755 : 0o644);
  const gzip = { level: 9, portable: true };
  return buffer(create({ cwd: folder, prefix: 'package', portable: true, mtime: MODIFIED_AT, gzip }, paths));
}
