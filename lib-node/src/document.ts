// Reading artefact documents: one, many, or one on the condition that it has changed.

import type { Answer } from './answer.ts';
import { checkOptions, getRules, listRules } from './rules.ts';
import type { GetArtefactOptions, ListArtefactsOptions } from './options.ts';
import { createRegistry, routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import { retrying } from './retry.ts';
import type { Artefact, ArtefactList } from './types.ts';

export interface ReadDocument {
  document: Artefact;
  etag: string | undefined;
}

/**
 * Reads the document of an artefact.
 *
 * @throws RegistryError 404 when it does not exist or the caller may not see it
 */
export async function getArtefact(options: GetArtefactOptions): Promise<Artefact> {
  checkOptions('getArtefact', options, getRules);
  const { document } = await readDocument(createRegistry(options), options.artefactId, options.signal);
  return document;
}

/** Lists the artefacts that the caller may see: `{ results, count }`, where `count` is that of all matches. */
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
    const answer = await send(registry, url, { signal });
    const list = await answer.json();
    if (!Array.isArray(list.results) || typeof list.count !== 'number')
      throw answer.unusable('is no list of artefacts');
    return list as unknown as ArtefactList;
  });
}

/** Reads a document, whatever is already known. */
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

/** Reads a document unless it still has `etag`; undefined means that it has (304). */
export async function readDocumentUnless(
  registry: Registry,
  artefactId: string,
  etag: string,
  signal: AbortSignal | undefined,
): Promise<ReadDocument | undefined> {
  return await retrying(registry.retries, signal, async () => {
    const answer = await request(registry, artefactId, { 'if-none-match': etag }, signal);
    return answer.status === 304 ? undefined : await parseDocument(answer);
  });
}

async function request(
  registry: Registry,
  artefactId: string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  return await send(registry, routeUrl(registry, ['artefacts', artefactId]), { headers, signal, artefactId });
}

async function parseDocument(answer: Answer): Promise<ReadDocument> {
  const document = await answer.json();
  if (typeof document._id !== 'string') throw answer.unusable('is no artefact');
  return { document: document as unknown as Artefact, etag: answer.etag };
}
