// Lists a registry's events, page by page.

import { eventsUrl, isEvent, isWanted } from './event-source.ts';
import type { EventQuery } from './event-source.ts';
import type { ListEventsOptions } from './options.ts';
import { createRegistry } from './registry.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import { retrying } from './retry.ts';
import { checkOptions, listEventsRules } from './rules.ts';
import type { BerthEvent } from './types.ts';

const PAGE_SIZE = 500;
/** Some hundred times what a page usually has. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

interface Page {
  results: BerthEvent[];
  next: string;
}

/**
 * Yields the events that the registry has, oldest first, until there is nothing newer.
 *
 * @throws TypeError at once if an option is unknown, missing or invalid
 * @throws RegistryError as `followEvents`: 410 `events_gone` if `after` is not known any more
 */
export function listEvents(options: ListEventsOptions): AsyncGenerator<BerthEvent, void, void> {
  checkOptions('listEvents', options, listEventsRules);
  return list(options);
}

async function* list({ types = [], artefactIds, after: first = 'oldest', ...options }: ListEventsOptions) {
  const registry = createRegistry(options);
  const ids = artefactIds && new Set(artefactIds);
  for (let after = first; ;) {
    const query = { types, artefactIds: ids, after };
    const { results, next } = await retrying(registry.retries, options.signal, () =>
      readPage(registry, query, options.signal),
    );
    for (const event of results) if (isWanted(event, ids)) yield event;
    if (next === after) return;
    after = next;
  }
}

async function readPage(registry: Registry, query: EventQuery, signal: AbortSignal | undefined): Promise<Page> {
  const url = eventsUrl(registry, ['events'], query);
  url.searchParams.set('size', String(PAGE_SIZE));
  const response = await send(registry, url, { signal });
  const isJson = response.status === 200 && /\bjson\b/i.test(response.headers.get('content-type') ?? '');
  const page = isJson ? await response.json(MAX_PAGE_BYTES) : await response.discard();
  if (!page || typeof page['next'] !== 'string' || !Array.isArray(page['results']) || !page['results'].every(isEvent))
    throw response.unusable('is not a page of events');
  return page as unknown as Page;
}
