// Downloads the artefacts of another registry slot by slot, with the metadata to import.

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  describeConnectionFailure,
  describeOtherAnswer,
  fetchDirectly,
  listArtefacts,
  type Artefact,
  type PluginToMigrate,
  type RegistryOptions,
} from '@berth-registry/lib-node';

const PAGE_SIZE = 100;
const MAX_REDIRECTS = 5;
const IMAGE_TYPES: Record<string, string> = {
  'image/svg+xml': '.svg',
  'image/webp': '.webp',
  'image/png': '.png',
  'image/jpeg': '.jpg',
};

export interface FailedCopy {
  artefactId: string;
  reason: string;
}

/**
 * Yields each slot as a file that exists until the next one is requested, or as a FailedCopy.
 * @throws RegistryError if the artefacts cannot be listed
 */
export async function* copiesFrom(source: RegistryOptions): AsyncGenerator<PluginToMigrate | FailedCopy> {
  for await (const artefact of listAll(source)) {
    for (const architecture of artefact.format === 'npm'
      ? Object.keys(artefact.tarballs ?? { noarch: {} })
      : [undefined]) {
      const folder = await mkdtemp(join(tmpdir(), 'berth-copy-'));
      try {
        yield await copy(source, artefact, architecture, folder);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }
}

async function* listAll(source: RegistryOptions): AsyncGenerator<Artefact> {
  for (let skip = 0; ; skip += PAGE_SIZE) {
    const { results, count } = await listArtefacts({
      ...source,
      includeDeprecated: true,
      sort: 'name',
      skip,
      size: PAGE_SIZE,
    });
    yield* results;
    if (results.length === 0 || skip + results.length >= count) return;
  }
}

async function copy(
  source: RegistryOptions,
  artefact: Artefact,
  architecture: string | undefined,
  folder: string,
): Promise<PluginToMigrate | FailedCopy> {
  const { _id: artefactId, format, category, title, description, group, documentation, deprecated } = artefact;
  try {
    const path = join(folder, format === 'npm' ? 'package.tgz' : (artefact.fileName?.replaceAll('/', '-') ?? 'file'));
    const expected = architecture === undefined ? artefact.digest : artefact.tarballs?.[architecture]?.digest;
    const query = architecture === undefined ? '' : `?architecture=${architecture}`;
    await fetchFile(source, `artefacts/${encodeURIComponent(artefactId)}/download${query}`, path, expected);
    const thumbnail = artefact.thumbnail && (await fetchImage(source, artefact.thumbnail.id, folder));
    return {
      artefactId,
      path,
      format,
      category,
      title,
      description,
      group,
      documentation,
      deprecated,
      ...(architecture !== undefined && { architecture }),
      ...(thumbnail !== undefined && { thumbnail }),
    };
  } catch (error) {
    source.signal?.throwIfAborted();
    return { artefactId, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function fetchFile(
  source: RegistryOptions,
  route: string,
  path: string,
  expected: string | undefined,
): Promise<void> {
  const response = await get(source, route);
  const hash = createHash('sha256');
  if (!response.body) throw new Error('the response has no body');
  await pipeline(
    Readable.fromWeb(response.body),
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  const digest = `sha256:${hash.digest('hex')}`;
  if (expected !== undefined && digest !== expected)
    throw new Error(`the downloaded content has the digest ${digest} instead of ${expected}`);
}

/** Downloads a thumbnail; undefined if it cannot be downloaded. */
async function fetchImage(source: RegistryOptions, id: string, folder: string): Promise<string | undefined> {
  const response = await get(source, `thumbnails/${encodeURIComponent(id)}/data`).catch(() => undefined);
  if (!response?.body) return undefined;
  const path = join(folder, `thumbnail${IMAGE_TYPES[response.headers.get('content-type') ?? ''] ?? ''}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
  return path;
}

/** Sends a GET. The key goes to the registry only, not to a storage that it redirects to. */
async function get({ registryUrl, apiKey, signal }: RegistryOptions, route: string): Promise<Response> {
  let url = new URL(`${registryUrl}/api/v1/${route}`);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers: Record<string, string> = apiKey === undefined || hops > 0 ? {} : { 'x-api-key': apiKey };
    const response = await fetchDirectly(url, { headers, signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new Error(describeConnectionFailure(url, error), { cause: error });
    });
    if (response.ok) return response;
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    if (location === null) throw new Error(await refusalOf(response, url));
    await response.body?.cancel();
    url = new URL(location, url);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects from ${registryUrl}`);
}

async function refusalOf(response: Response, url: URL): Promise<string> {
  const text = await response.text();
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    if (typeof detail === 'string') return detail.replace(/\s+/g, ' ');
  } catch {
    // Not a problem document.
  }
  return `${url.origin} responded with status ${response.status}: ${describeOtherAnswer(url, response.status, text)}`;
}
