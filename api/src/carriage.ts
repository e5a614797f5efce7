// `berth remotes export` and `import`: the two ends of a carriage without a network, on the server's own data.

import { Readable } from 'node:stream';
import { createArtefacts } from './artefacts/index.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { refuseOther, withInstance, type Instance } from './maintenance.ts';
import { requireInstance } from './open.ts';
import { assertPattern, createImport, createUpstream, exportCarriage, normaliseUrl, type CarriageProgress, type CarriageSource, type ExportReport, type ImportReport, type SyncProgress } from './remotes/index.ts';
import { createTarballScanners, type TarballScanners } from './tarballs/index.ts';
import { createThumbnails } from './thumbnails/index.ts';

export interface ExportArtefactsOptions {
  /** Ids in which `*` stands for anything but a slash, or `category:` and a category. */
  patterns: readonly string[];
  /** Takes them from another registry over the network, with a read key, in place of this instance. */
  from?: { url: string; apiKey: string | undefined } | undefined;
  onProgress?: ((progress: CarriageProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 30_000;
const PAGE_SIZE = 1000;

/**
 * Writes chosen artefacts with their bytes into one file.
 * @param env settings, such as `process.env`; of an export from another registry they do not matter
 * @throws ConfigError; pattern_invalid, remote_url_invalid; remote_unavailable, remote_refused, remote_answer_invalid
 */
export async function exportArtefacts(env: NodeJS.ProcessEnv, path: string, { patterns, from, ...hooks }: ExportArtefactsOptions): Promise<ExportReport> {
  for (const pattern of patterns) assertPattern(pattern);
  if (from) return withUpstream(from, (source) => exportCarriage({ source, patterns, path, ...hooks }));
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async (instance) => {
    await refuseOther(instance.database);
    return withServices(config, instance, (services) => exportCarriage({ source: ownSource(config, instance, services), patterns, path, ...hooks }));
  });
}

/**
 * Mirrors what a file brings, see `createImport`.
 * @throws ConfigError; carriage_invalid, remote_url_invalid, job_running
 */
export async function importArtefacts(env: NodeJS.ProcessEnv, path: string, { onProgress, signal }: { onProgress?: (progress: SyncProgress) => void; signal?: AbortSignal } = {}): Promise<ImportReport> {
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async (instance) => {
    await refuseOther(instance.database);
    const stop = () => void instance.jobs.close();
    signal?.addEventListener('abort', stop);
    try {
      return await withServices(config, instance, ({ artefacts, thumbnails }) => createImport({
        ...instance, thumbnails, mirroring: artefacts.mirroring, publishing: artefacts.publishing,
        publicUrl: config.PUBLIC_URL, maxUploadBytes: config.MAX_UPLOAD_BYTES, onError: () => undefined,
      })(path, onProgress));
    } catch (error) {
      signal?.throwIfAborted();
      throw isMissingFile(error) ? new ConfigError(`${path} cannot be read: ${error.message}`, { cause: error }) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  });
}

interface Services { artefacts: ReturnType<typeof createArtefacts>; thumbnails: ReturnType<typeof createThumbnails>; scanners: TarballScanners }

async function withServices<T>(config: Config, { database, blobs }: Instance, work: (services: Services) => Promise<T>): Promise<T> {
  const scanners = createTarballScanners();
  const artefacts = createArtefacts({
    database, blobs, scanners, categories: config.CATEGORIES, accelRedirectPrefix: undefined, onError: () => undefined,
    limits: { maxUploadBytes: config.MAX_UPLOAD_BYTES, maxUnpackedBytes: config.MAX_UNPACKED_BYTES, maxTarEntries: config.MAX_TAR_ENTRIES },
    // Nobody uploads with a key here.
    keyScopes: () => Promise.resolve(undefined),
  });
  try {
    return await work({ artefacts, scanners, thumbnails: createThumbnails({ database, artefacts }) });
  } finally {
    await artefacts.counts.close();
    await scanners.close();
  }
}

/** The artefacts of this instance, mirrors among them: they are carried on under its name. */
function ownSource(config: Config, { blobs }: Instance, { artefacts, thumbnails }: Services): CarriageSource {
  return {
    origin: normaliseUrl(config.PUBLIC_URL),
    documents: () => readAll(async (skip) => JSON.parse(await artefacts.read.list({ kind: 'internal' }, { skip, size: PAGE_SIZE, sort: 'name', includeDeprecated: true })) as DocumentPage),
    bytes: (_artefact, { digest = '' }) => blobs.read(digest),
    thumbnail: async (id) => (await thumbnails.find(id)).data,
  };
}

async function withUpstream<T>({ url, apiKey }: { url: string; apiKey: string | undefined }, work: (source: CarriageSource) => Promise<T>): Promise<T> {
  const origin = normaliseUrl(url);
  const upstream = createUpstream({ url: origin, apiKey, timeoutMs: TIMEOUT_MS });
  const signal = new AbortController().signal;
  try {
    return await work({
      origin,
      documents: () => readAll((skip) => upstream.page({ includeDeprecated: 'true', sort: 'name', size: String(PAGE_SIZE), skip: String(skip) })),
      async bytes({ id }, slot) { return (await upstream.open(id, slot, undefined, signal))?.chunks ?? Readable.from([]); },
      thumbnail: async (id) => (await upstream.thumbnail(id))?.bytes,
    });
  } finally {
    upstream.close();
  }
}

interface DocumentPage { results: unknown[]; count: number }

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
