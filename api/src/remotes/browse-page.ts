// Reads one page of a remote registry's list as this registry shows it: deprecated artefacts only if they are
// selected. The remote registry can leave out all of them, or none.

import {
  MAX_LISTED_ARTEFACTS,
  RemoteAnswerInvalidError,
  type ListedArtefact,
  type Upstream,
} from '../upstream/index.ts';

export interface PageOptions {
  upstream: Pick<Upstream, 'page'>;
  /** Query parameters that choose artefacts: q, category, format. */
  filters: Record<string, string>;
  selectedIds: ReadonlySet<string>;
  skip: number;
  size: number;
}

export type ShownArtefact = ListedArtefact & { text: string };

export interface ShownPage {
  artefacts: ShownArtefact[];
  /** Number of artefacts on all pages. */
  count: number;
}

/** Of one request to the remote registry. */
const PAGE_SIZE = 100;
const WITH_DEPRECATED = { includeDeprecated: 'true' };

/** @throws remote_unavailable, remote_refused, remote_answer_invalid */
export async function readPage(options: PageOptions): Promise<ShownPage> {
  const { upstream, filters, selectedIds } = options;
  const page = await readRange(options);
  if (selectedIds.size === 0 && page.isWithoutDeprecated) return page;
  const all = await upstream.page({ query: { ...WITH_DEPRECATED, ...filters, skip: '0', size: '1' } });
  const deprecated = all.count - page.total;
  return page.isWithoutDeprecated && deprecated === 0
    ? page
    : walk(options, page.isWithoutDeprecated ? deprecated : Infinity);
}

/** Reads the page as the remote registry shows it, without deprecated artefacts. */
async function readRange({ upstream, filters, skip, size }: PageOptions) {
  const artefacts: ShownArtefact[] = [];
  let [read, isWithoutDeprecated] = [0, true];
  for (;;) {
    const { entries, count, ...page } = await upstream.page({
      query: { ...filters, skip: String(skip + read), size: String(Math.min(size - read, PAGE_SIZE)) },
      form: 'document',
    });
    isWithoutDeprecated &&= !page.artefacts.some(({ deprecated }) => deprecated);
    artefacts.push(...page.artefacts.filter(hasText));
    read += entries;
    // Invalid documents are not shown.
    if (read >= size || entries === 0 || skip + read >= count)
      return { artefacts, count: Math.max(0, count - (read - artefacts.length)), total: count, isWithoutDeprecated };
  }
}

/**
 * Reads the list from its beginning, until the page is complete and all deprecated artefacts are found.
 * @param deprecated how many there are
 */
async function walk(
  { upstream, filters, selectedIds, skip, size }: PageOptions,
  deprecated: number,
): Promise<ShownPage> {
  const artefacts: ShownArtefact[] = [];
  let [read, shown, found] = [0, 0, 0];
  for (;;) {
    const isNear = shown + PAGE_SIZE > skip && artefacts.length < size;
    const { entries, count, ...page } = await upstream.page({
      query: { ...WITH_DEPRECATED, ...filters, skip: String(read), size: String(PAGE_SIZE) },
      form: isNear ? 'document' : undefined,
    });
    read += entries;
    for (const artefact of page.artefacts) {
      if (artefact.deprecated) found++;
      if (artefact.deprecated && !selectedIds.has(artefact.id)) continue;
      if (shown++ >= skip && artefacts.length < size && hasText(artefact)) artefacts.push(artefact);
    }
    const isLast = entries === 0 || read >= count;
    if (isLast || (found >= deprecated && shown >= skip + size))
      return { artefacts, count: isLast ? shown : count - (read - shown) };
    if (read > MAX_LISTED_ARTEFACTS)
      throw new RemoteAnswerInvalidError(`The remote registry lists more than ${MAX_LISTED_ARTEFACTS} artefacts.`);
  }
}

function hasText(artefact: ListedArtefact): artefact is ShownArtefact {
  return artefact.text !== undefined;
}
