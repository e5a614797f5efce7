// migratePlugins: what a service holds on its disk, brought into a registry once. What the registry has already stays
// as it is, so that the call may be made at each start, cut off anywhere, and made again.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar/create';
import { sendJson, sendThumbnail } from './change.ts';
import { readDocument } from './document.ts';
import { RegistryError } from './errors.ts';
import type { MigratePluginsOptions, MigrationReport, MigrationResult, PluginToMigrate } from './options.ts';
import { publishArtefact } from './publish.ts';
import { createRegistry } from './registry.ts';
import type { Registry } from './registry.ts';
import { checkOptions, migrateRules } from './rules.ts';
import type { AccountRef, Artefact } from './types.ts';

const METADATA = ['title', 'description', 'group', 'documentation', 'deprecated', 'public', 'privateAccess'] as const;
const NOARCH = 'noarch';

/**
 * Uploads plug-ins and files with what is known of them, and grants accounts their access. Slots that hold bytes
 * already keep them; metadata is set on artefacts that nobody has touched since their first upload, a thumbnail where
 * there is none. One that fails does not stop the rest: the report says what became of each.
 *
 * @throws TypeError when an option is unknown, missing or wrong; the signal's reason /
 */
export async function migratePlugins(options: MigratePluginsOptions): Promise<MigrationReport> {
  checkOptions('migratePlugins', options, migrateRules);
  const { plugins, grants = [], onResult, ...registryOptions } = options;
  const registry = createRegistry(options);
  const report: MigrationReport = { results: [], grants: [], isComplete: true };
  for (const account of grants) report.grants.push(await grant(registry, account, options.signal));
  for await (const plugin of plugins) {
    const result = await migrate(plugin, registry, registryOptions);
    report.results.push(result);
    onResult?.(result);
  }
  report.isComplete = [...report.results, ...report.grants].every(({ status }) => status !== 'failed');
  return report;
}

async function migrate(
  plugin: PluginToMigrate,
  registry: Registry,
  options: Omit<MigratePluginsOptions, 'plugins'>,
): Promise<MigrationResult> {
  const { artefactId, format = 'npm', architecture = NOARCH } = plugin;
  const metadata: string[] = [];
  try {
    const present = await find(registry, artefactId, options.signal);
    const isPresent =
      format === 'npm'
        ? present?.tarballs?.[architecture] !== undefined
        : present?.digest !== undefined || present?.filePath !== undefined;
    const document = present && isPresent ? present : await publish(plugin, options);
    // Whatever has happened to it since its first upload was somebody's decision.
    if (document.createdAt === document.updatedAt)
      await describe(registry, document, plugin, metadata, options.signal);
    if (plugin.thumbnail !== undefined && !document.thumbnail) {
      await sendThumbnail(registry, artefactId, plugin.thumbnail, options.signal);
      metadata.push('thumbnail');
    }
    return { artefactId, status: isPresent ? 'present' : 'uploaded', metadata };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { artefactId, status: 'failed', metadata, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function publish(
  { artefactId, path, format = 'npm', architecture, category }: PluginToMigrate,
  options: Omit<MigratePluginsOptions, 'plugins'>,
): Promise<Artefact> {
  const { registryUrl, secretKey, apiKey, signal, retries, timeoutMs } = options;
  const target = {
    registryUrl,
    secretKey,
    apiKey,
    signal,
    retries,
    timeoutMs,
    artefactId,
    format,
    category,
    ...(format === 'npm' && { architecture }),
  };
  if (!(await stat(path)).isDirectory()) return await publishArtefact({ ...target, file: path });
  if (format === 'file') throw new Error(`${path} is a directory, and this artefact is one file`);
  const folder = await mkdtemp(join(tmpdir(), 'berth-migrate-'));
  try {
    const file = join(folder, 'package.tgz');
    await pack(path, file);
    return await publishArtefact({ ...target, file });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Packs a folder with all that is in it, as npm lays packages out; equal folders make equal bytes. */
async function pack(directory: string, file: string): Promise<void> {
  const names = (await readdir(directory)).sort();
  if (!names.includes('package.json'))
    throw new Error(`${directory} holds no package: there is no package.json in it`);
  await create(
    { file, cwd: directory, gzip: true, portable: true, noMtime: true, prefix: 'package', follow: false },
    names.map((name) => `./${name}`),
  );
}

/** Sets what the plug-in has, at once. @param done gets the names of the fields as they are set */
async function describe(
  registry: Registry,
  document: Artefact,
  plugin: PluginToMigrate,
  done: string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const changes = Object.fromEntries(
    METADATA.filter((name) => plugin[name] !== undefined).map((name) => [name, plugin[name]]),
  );
  if (Object.keys(changes).length === 0) return;
  await sendJson(registry, 'PATCH', ['artefacts', document._id], changes, signal);
  done.push(...Object.keys(changes));
}

async function grant(
  registry: Registry,
  account: AccountRef,
  signal: AbortSignal | undefined,
): Promise<MigrationReport['grants'][number]> {
  try {
    await sendJson(registry, 'POST', ['access-grants'], { account }, signal);
    return { account, status: 'granted' };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof RegistryError && error.status === 409) return { account, status: 'present' };
    return { account, status: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function find(
  registry: Registry,
  artefactId: string,
  signal: AbortSignal | undefined,
): Promise<Artefact | undefined> {
  try {
    return (await readDocument(registry, artefactId, signal)).document;
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) return undefined;
    throw error;
  }
}
