// Reads artefact documents: one, a list, or one if it has changed.

import { checkOptions, getRules, listRules } from './rules.ts';
import type { GetArtefactOptions, ListArtefactsOptions } from './options.ts';
import { createRegistry, routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import type { RegistryResponse } from './response.ts';
import { retrying } from './retry.ts';
import type { Artefact, ArtefactList } from './types.ts';

/** 1000 documents, the largest page of a list, of some 200 KiB each. */
const MAX_LIST_BYTES = 256 * 1024 * 1024;

export interface ReadDocument {
  document: Artefact;
  etag: string | undefined;
}

/**
 * Reads the document of an artefact.
 *
 * @throws RegistryError 404 if it does not exist or the caller may not see it
 */
export async function getArtefact(options: GetArtefactOptions): Promise<Artefact> {
  checkOptions('getArtefact', options, getRules);
  const { document } = await readDocument(createRegistry(options), options.artefactId, options.signal);
  return document;
}

/** Lists the artefacts that the caller may see: `{ results, count }`, where `count` includes all matches. */
export async function listArtefacts(options: ListArtefactsOptions): Promise<ArtefactList> {
  checkOptions('listArtefacts', options, listRules);
  const registry = createRegistry(options);
  const { q, category, format, group, packageName, origin, includeDeprecated, sort, skip, size, signal } = options;
  const url = routeUrl(registry, ['artefacts'], {
    q,
    category,
    format,
    group,
    packageName,
    origin,
    includeDeprecated,
    sort,
    skip,
    size,
  });
  return await retrying(registry.retries, signal, async () => {
    const response = await send(registry, url, { signal });
    const list = await response.json(MAX_LIST_BYTES);
    if (!Array.isArray(list.results) || typeof list.count !== 'number')
      throw response.unusable('is not a list of artefacts');
    return list as unknown as ArtefactList;
  });
}

/** Reads a document unconditionally. */
export async function readDocument(
  registry: Registry,
  artefactId: string,
  signal: AbortSignal | undefined,
): Promise<ReadDocument> {
  return await retrying(
    registry.retries,
    signal,
    async () => await parseDocument(await request(registry, artefactId, {}, signal)),
  );
}

/** Reads a document by a conditional request; undefined if it still has `etag` (304). */
export async function readDocumentUnless(
  registry: Registry,
  artefactId: string,
  etag: string,
  signal: AbortSignal | undefined,
): Promise<ReadDocument | undefined> {
  return await retrying(registry.retries, signal, async () => {
    const response = await request(registry, artefactId, { 'if-none-match': etag }, signal);
    return response.status === 304 ? undefined : await parseDocument(response);
  });
}

async function request(
  registry: Registry,
  artefactId: string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<RegistryResponse> {
  return await send(registry, routeUrl(registry, ['artefacts', artefactId]), { headers, signal, artefactId });
}

async function parseDocument(response: RegistryResponse): Promise<ReadDocument> {
  const document = await response.json();
  if (typeof document._id !== 'string') throw response.unusable('is not an artefact');
  return { document: document as unknown as Artefact, etag: response.etag };
}
