// `berth remotes export` and `import`: write a bundle from this instance or another registry, import one.

import { Readable } from 'node:stream';
import {
  exportBundle,
  importBundle,
  type BundleProgress,
  type BundleSource,
  type ExportReport,
} from './bundles/index.ts';
import { ConfigError, readConfig, type Config } from './config/index.ts';
import { assertOwnSchema, withInstance } from './maintenance.ts';
import { requireInstance } from './open.ts';
import { createOutbound } from './outbound/index.ts';
import { assertPattern } from './patterns/index.ts';
import { normaliseUrl, type OfflineImportReport, type SyncProgress } from './remotes/index.ts';
import {
  createContentServices,
  createImports,
  outboundOptionsOf,
  type Instance,
  type InstanceOptions,
} from './services.ts';
import { createUpstream } from './upstream/index.ts';

export interface ExportArtefactsOptions {
  /** IDs in which `*` matches anything but a slash, or `category:` followed by a category. */
  patterns: readonly string[];
  /** Exports from another registry over the network, with a read key, instead of from this instance. */
  from?: { url: string; apiKey: string | undefined } | undefined;
  onProgress?: ((progress: BundleProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const PAGE_SIZE = 1000;

/**
 * Writes the selected artefacts with their files into a bundle.
 * @param env settings, such as `process.env`
 * @throws ConfigError; pattern_invalid, remote_url_invalid; remote_unavailable, remote_refused, remote_answer_invalid
 */
export async function exportArtefacts(
  env: NodeJS.ProcessEnv,
  path: string,
  { patterns, from, ...hooks }: ExportArtefactsOptions,
): Promise<ExportReport> {
  for (const pattern of patterns) assertPattern(pattern);
  const config = readConfig(env);
  if (from) return withUpstream(config, from, (source) => exportBundle({ source, patterns, path, ...hooks }));
  requireInstance(config);
  return withInstance(config, async (instance, options) => {
    await assertOwnSchema(instance.database);
    return exportBundle({ source: ownSource(config, instance, options), patterns, path, ...hooks });
  });
}

/**
 * Mirrors the artefacts in a bundle, see `createOfflineImport`.
 * @throws ConfigError; bundle_invalid, remote_url_invalid, job_running
 */
export async function importArtefacts(
  env: NodeJS.ProcessEnv,
  path: string,
  { onProgress, signal }: { onProgress?: (progress: SyncProgress) => void; signal?: AbortSignal } = {},
): Promise<OfflineImportReport> {
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async (instance, options) => {
    await assertOwnSchema(instance.database);
    const stop = () => void instance.jobs.close();
    signal?.addEventListener('abort', stop);
    try {
      return await importBundle(path, createImports(config, instance, options), onProgress);
    } catch (error) {
      signal?.throwIfAborted();
      throw isMissingFile(error)
        ? new ConfigError(`${path} cannot be read: ${error.message}`, { cause: error })
        : error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  });
}

/** Reads this instance's artefacts, including mirrors; the bundle names this instance as their origin. */
function ownSource(config: Config, instance: Instance, options: InstanceOptions): BundleSource {
  const { artefacts, thumbnails } = createContentServices(config, instance, options);
  return {
    origin: normaliseUrl(config.PUBLIC_URL),
    documents: () =>
      readAll(
        async (skip) =>
          JSON.parse(
            await artefacts.read.list(
              { kind: 'internal' },
              { skip, size: PAGE_SIZE, sort: 'name', includeDeprecated: true },
            ),
          ) as DocumentPage,
      ),
    bytes: (_artefact, { digest = '' }) => instance.blobs.read(digest),
    thumbnail: async (id) => (await thumbnails.find(id)).data,
  };
}

async function withUpstream<T>(
  config: Config,
  { url, apiKey }: { url: string; apiKey: string | undefined },
  work: (source: BundleSource) => Promise<T>,
): Promise<T> {
  const origin = normaliseUrl(url);
  const outbound = createOutbound(outboundOptionsOf(config));
  const upstream = createUpstream({ url: origin, apiKey }, outbound);
  const signal = new AbortController().signal;
  try {
    return await work({
      origin,
      documents: () =>
        readAll((skip) =>
          upstream.page({ includeDeprecated: 'true', sort: 'name', size: String(PAGE_SIZE), skip: String(skip) }),
        ),
      async bytes({ id }, slot) {
        return (await upstream.open(id, slot, undefined, signal))?.chunks ?? Readable.from([]);
      },
      thumbnail: async (id) => (await upstream.thumbnail(id))?.bytes,
    });
  } finally {
    await outbound.close();
  }
}

interface DocumentPage {
  results: unknown[];
  count: number;
}

async function readAll(readPage: (skip: number) => Promise<DocumentPage>): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let count = 1; all.length < count;) {
    const page = await readPage(all.length);
    if (page.results.length === 0) break;
    all.push(...page.results);
    count = page.count;
  }
  return all;
}

function isMissingFile(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ['ENOENT', 'EACCES', 'EISDIR'].includes(String(error.code));
}
