// migratePlugins: uploads the plug-ins of a service to a registry. Idempotent: content and edits in the registry are
// kept, so a service can call it at every start, and repeat it after an interruption.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar/create';
import { sendJson } from './change.ts';
import { readDocument } from './document.ts';
import { RegistryError } from './errors.ts';
import { cleanAccount, isRefusedContent, pickCategory, setMetadata, setThumbnail } from './migrate-metadata.ts';
import type { MetadataTarget } from './migrate-metadata.ts';
import type { MigratePluginsOptions, MigrationReport, MigrationResult, PluginToMigrate } from './options.ts';
import { publishArtefact } from './publish.ts';
import { createRegistry } from './registry.ts';
import type { Registry } from './registry.ts';
import { checkOptions, migrateRules } from './rules.ts';
import type { AccountRef, Artefact } from './types.ts';

const NOARCH = 'noarch';

/**
 * Uploads plug-ins and files with their metadata, and grants access to accounts. Skips slots that already have
 * content; sets metadata only on artefacts that are unchanged since their first upload, and a thumbnail only if there
 * is none. Metadata that the registry refuses is left out, and reported as `dropped`. A failure does not stop the
 * others: the report has the result of each.
 *
 * @throws TypeError if an option is unknown, missing or invalid; the signal's reason
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
  const target: MetadataTarget = { registry, artefactId, signal: options.signal, set: [], dropped: [] };
  const describe = (status: MigrationResult['status']): MigrationResult => ({
    artefactId,
    status,
    metadata: target.set,
    ...(target.dropped.length > 0 && { dropped: target.dropped }),
  });
  try {
    const existing = await find(registry, artefactId, options.signal);
    const isPresent =
      format === 'npm'
        ? existing?.tarballs?.[architecture] !== undefined
        : existing?.digest !== undefined || existing?.filePath !== undefined;
    const document = existing && isPresent ? existing : await publish(plugin, options, target);
    // Later changes were made on purpose and are kept.
    if (document.createdAt === document.updatedAt) await setMetadata(target, plugin);
    if (plugin.thumbnail !== undefined && !document.thumbnail) await setThumbnail(target, plugin.thumbnail);
    return describe(isPresent ? 'present' : 'uploaded');
  } catch (error) {
    options.signal?.throwIfAborted();
    return { ...describe('failed'), reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Uploads the content, without the category if the registry does not have it. */
async function publish(
  plugin: PluginToMigrate,
  options: Omit<MigratePluginsOptions, 'plugins'>,
  target: MetadataTarget,
): Promise<Artefact> {
  const category = pickCategory(target, plugin);
  try {
    return await publishContent({ ...plugin, category }, options);
  } catch (error) {
    if (category === undefined || !isRefusedContent(error) || !/category/.test(error.message + error.code))
      throw error;
    target.dropped.push({ field: 'category', reason: error.message });
    return await publishContent({ ...plugin, category: undefined }, options);
  }
}

async function publishContent(
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
  if (format === 'file') throw new Error(`${path} is a directory, but the format file requires a file`);
  const folder = await mkdtemp(join(tmpdir(), 'berth-migrate-'));
  try {
    const file = join(folder, 'package.tgz');
    await pack(path, file);
    return await publishArtefact({ ...target, file });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Packs a folder with everything in it, below `package/`; equal folders make equal bytes. */
async function pack(directory: string, file: string): Promise<void> {
  const names = (await readdir(directory)).sort();
  if (!names.includes('package.json')) throw new Error(`${directory} is not a package: it contains no package.json`);
  await create(
    { file, cwd: directory, gzip: true, portable: true, noMtime: true, prefix: 'package', follow: false },
    names.map((name) => `./${name}`),
  );
}

async function grant(
  registry: Registry,
  account: AccountRef,
  signal: AbortSignal | undefined,
): Promise<MigrationReport['grants'][number]> {
  try {
    await sendJson(registry, 'POST', ['access-grants'], { account: cleanAccount(account) }, signal);
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
