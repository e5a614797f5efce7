// `berth remotes export` and `import`: write a bundle from this instance or another registry, import one.

import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  exportBundle,
  importBundle,
  type BundleProgress,
  type BundleSource,
  type ExportReport,
  type SourceArtefact,
} from './bundles/index.ts';
import { ConfigError, readConfig, type Config } from './config/index.ts';
import { BerthError, withCleanUp } from './errors.ts';
import { assertOwnSchema, withInstance } from './maintenance.ts';
import { requireInstance } from './open.ts';
import { assertPattern, matches } from './patterns/index.ts';
import { normaliseUrl, type OfflineImportReport, type SyncProgress } from './remotes/index.ts';
import {
  closeAll,
  createContentServices,
  createImports,
  createUpstreamReader,
  type Instance,
  type InstanceOptions,
  type Opened,
} from './services.ts';
import { readUpstreamArtefact, type Upstream, type UpstreamArtefact } from './upstream/index.ts';

export interface ExportArtefactsOptions {
  /** IDs in which `*` matches anything but a slash, or `category:` followed by a category. */
  patterns: readonly string[];
  /** Exports from another registry over the network, with a read key, instead of from this instance. */
  from?: { url: string; apiKey: string | undefined } | undefined;
  onProgress?: ((progress: BundleProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const PAGE_SIZE = 100;
/** A bundle is described by one document. No server runs in this process. */
const BUNDLE_HEAP_MB = 512;

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
      const importOffline = createImports(config, instance, options);
      const reader = createUpstreamReader(config, options, BUNDLE_HEAP_MB);
      return await importBundle(path, { importOffline, reader }, onProgress);
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
    artefacts: (patterns) => readOwn(artefacts, patterns, config.CATEGORIES),
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
  const opened: Opened = [];
  const upstream = createUpstreamReader(config, { opened, onError: () => undefined }).open({ url: origin, apiKey });
  const signal = new AbortController().signal;
  return withCleanUp(
    () =>
      work({
        origin,
        artefacts: (patterns) => readRemote(upstream, patterns),
        async bytes({ id }, slot) {
          return (await upstream.open(id, slot, undefined, signal))?.chunks ?? Readable.from([]);
        },
        thumbnail: async (id) => (await upstream.thumbnail(id))?.bytes,
      }),
    () => closeAll(opened),
  );
}

async function* readRemote(upstream: Upstream, patterns: readonly string[]): AsyncGenerator<SourceArtefact> {
  for await (const page of upstream.pages({ patterns, form: 'artefact' })) {
    yield* page.unusable;
    for (const { id, isMatch, text: json } of page.artefacts) {
      if (!isMatch) continue;
      const artefact = json === undefined ? await upstream.artefact(id) : (JSON.parse(json) as UpstreamArtefact);
      if (artefact) yield { artefact, isMatch };
    }
  }
}

async function* readOwn(
  { read }: ReturnType<typeof createContentServices>['artefacts'],
  patterns: readonly string[],
  categories: readonly string[],
): AsyncGenerator<SourceArtefact> {
  for (let skip = 0, count = 1; skip < count;) {
    const query = { skip, size: PAGE_SIZE, sort: 'name', includeDeprecated: true } as const;
    const page = JSON.parse(await textOf(await read.list({ kind: 'internal' }, query))) as {
      results: unknown[];
      count: number;
    };
    if (page.results.length === 0) return;
    for (const document of page.results) yield toSourceArtefact(document, patterns, categories);
    skip += page.results.length;
    ({ count } = page);
  }
}

async function textOf(body: string | Readable): Promise<string> {
  return typeof body === 'string' ? body : text(body);
}

function toSourceArtefact(
  document: unknown,
  patterns: readonly string[],
  categories: readonly string[],
): SourceArtefact {
  try {
    const artefact = readUpstreamArtefact(document, { categories });
    return { artefact, isMatch: patterns.some((pattern) => matches(pattern, artefact)) };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { id: String((document as { _id?: string } | null)?._id), reason: error.message };
  }
}

function isMissingFile(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ['ENOENT', 'EACCES', 'EISDIR'].includes(String(error.code));
}
